package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Consume prints records.
type Consume struct {
	Topics []string `arg:"" help:"Topics to consume."`
	Group  string   `short:"g" help:"Consume as a member of this group and commit offsets."`
	From   string   `short:"o" default:"start" help:"start, end, or an offset; a group's committed offsets win."`
	Count  int64    `short:"n" default:"0" help:"Stop after so many records; 0: never."`
	Exit   bool     `short:"e" help:"Stop at the end of the topics as it was at the start."`
}

// recordJSON is one record as --json prints it.
type recordJSON struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Timestamp time.Time         `json:"timestamp"`
	Key       *string           `json:"key"`
	Value     *string           `json:"value"`
	Headers   map[string]string `json:"headers,omitempty"`
}

// Run prints records until told to stop.
func (c *Consume) Run(g *Globals) error {
	ctx, cancel := Interruptible()
	defer cancel()
	at := kgo.NewOffset().AtStart()
	switch c.From {
	case "start":
	case "end":
		at = kgo.NewOffset().AtEnd()
	default:
		n, err := strconv.ParseInt(c.From, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("--from %q: want start, end or an offset", c.From)
		}
		at = kgo.NewOffset().At(n)
	}
	opts := []kgo.Opt{kgo.ConsumeTopics(c.Topics...), kgo.ConsumeResetOffset(at)}
	if c.Group != "" {
		opts = append(opts, kgo.ConsumerGroup(c.Group))
	}
	ends := map[string]map[int32]int64{}
	left := 0
	if c.Exit {
		adm, done, err := g.Admin()
		if err != nil {
			return err
		}
		starts, err := adm.ListStartOffsets(ctx, c.Topics...)
		if err == nil {
			err = starts.Error()
		}
		es, err2 := adm.ListEndOffsets(ctx, c.Topics...)
		done()
		if err != nil || err2 != nil {
			return fmt.Errorf("list offsets: %v %v", err, err2)
		}
		for t, ps := range es {
			ends[t] = map[int32]int64{}
			for p, e := range ps {
				if s, ok := starts.Lookup(t, p); ok && s.Offset < e.Offset {
					ends[t][p] = e.Offset
					left++
				}
			}
		}
		if left == 0 {
			return nil
		}
	}
	cl, err := g.Client(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	enc := json.NewEncoder(g.out())
	for n := int64(0); ; {
		fs := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, e := range fs.Errors() {
			return fmt.Errorf("consume %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		for it := fs.RecordIter(); !it.Done(); {
			r := it.Next()
			if g.JSON {
				err = enc.Encode(recordJSON{r.Topic, r.Partition, r.Offset, r.Timestamp, text(r.Key), text(r.Value), headers(r)})
			} else {
				_, err = fmt.Fprintf(g.out(), "%s[%d]@%d %s\t%s\n", r.Topic, r.Partition, r.Offset, r.Key, r.Value)
			}
			if err != nil {
				return err
			}
			if n++; c.Count > 0 && n >= c.Count {
				return c.finish(g, cl)
			}
			if end, ok := ends[r.Topic][r.Partition]; ok && r.Offset+1 >= end {
				delete(ends[r.Topic], r.Partition)
				if left--; left == 0 {
					return c.finish(g, cl)
				}
			}
		}
	}
}

// finish commits what was printed, when in a group.
func (c *Consume) finish(_ *Globals, cl *kgo.Client) error {
	if c.Group == "" {
		return nil
	}
	ctx, cancel := Interruptible()
	defer cancel()
	return cl.CommitUncommittedOffsets(ctx)
}

func text(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func headers(r *kgo.Record) map[string]string {
	if len(r.Headers) == 0 {
		return nil
	}
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}
