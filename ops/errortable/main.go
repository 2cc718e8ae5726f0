package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

func main() {
	bootstrap := flag.String("bootstrap", "127.0.0.1:9092", "address of a broker of tallymq that is alone")
	peer := flag.String("peer", "", "address of a broker of Apache Kafka that is alone; empty: it is not asked")
	only := flag.String("only", "", "only situations whose request or name has this text")
	flag.Parse()
	unexplained := 0
	fmt.Println("| request | versions | situation | tallymq | Kafka |\n|---|---|---|---|---|")
	for i := range situations {
		s := &situations[i]
		if !strings.Contains(s.request()+" "+s.name, *only) {
			continue
		}
		for _, r := range s.rows(*bootstrap, *peer) {
			note := ""
			if r.theirs != "" && r.ours != r.theirs {
				if s.differs == "" {
					unexplained++
					note = " **differs**"
				} else {
					note = " (" + s.differs + ")"
				}
			}
			versions := fmt.Sprint(r.from)
			if r.to > r.from {
				versions = fmt.Sprintf("%d–%d", r.from, r.to)
			}
			fmt.Printf("| %s | %s | %s | %s | %s%s |\n", s.request(), versions, s.name, r.ours, r.theirs, note)
		}
	}
	if unexplained > 0 {
		fmt.Fprintf(os.Stderr, "errortable: %d rows differ from Kafka without a reason\n", unexplained)
		os.Exit(1)
	}
}

// row is a run of versions that are answered alike.
type row struct {
	from, to     int16
	ours, theirs string
}

func (s *situation) rows(bootstrap, peer string) (rows []row) {
	for v := s.min; v <= s.max; v++ {
		r := row{v, v, s.answer(bootstrap, v), ""}
		if peer != "" {
			r.theirs = s.answer(peer, v)
		}
		if n := len(rows); n > 0 && rows[n-1].ours == r.ours && rows[n-1].theirs == r.theirs {
			rows[n-1].to = v
			continue
		}
		rows = append(rows, r)
	}
	return rows
}

// answer is the name of the error that a broker answers.
func (s *situation) answer(address string, version int16) (name string) {
	defer func() {
		switch x := recover().(type) {
		case nil:
		case failure:
			name = "could not be asked: " + x.err.Error()
		default:
			panic(x)
		}
	}()
	c := newClient(address)
	defer c.conn.Close()
	code := s.ask(c, version)
	if code == 0 {
		return "NONE"
	}
	if e, ok := kerr.ErrorForCode(code).(*kerr.Error); ok {
		return e.Message
	}
	return fmt.Sprint(code)
}
