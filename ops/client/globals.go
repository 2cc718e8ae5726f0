package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Globals are the flags that every client command has.
type Globals struct {
	Bootstrap []string `name:"bootstrap" short:"b" default:"127.0.0.1:9092" sep:"," env:"TALLYMQ_BOOTSTRAP" help:"Kafka addresses of the cluster."`
	JSON      bool     `name:"json" help:"Print JSON instead of tables."`

	Out io.Writer `kong:"-"` // where results go; nil: standard output
	Err io.Writer `kong:"-"` // where progress goes; nil: standard error
}

func (g *Globals) out() io.Writer {
	if g.Out != nil {
		return g.Out
	}
	return os.Stdout
}

func (g *Globals) err() io.Writer {
	if g.Err != nil {
		return g.Err
	}
	return os.Stderr
}

// Interruptible is a context that ends at Ctrl-C or SIGTERM.
func Interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// Client connects to the cluster.
func (g *Globals) Client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(g.Bootstrap...), kgo.ClientID("tallymq-cli")}, opts...)...)
}

// Admin connects for administration; close must be called.
func (g *Globals) Admin() (adm *kadm.Client, close func(), err error) {
	c, err := g.Client()
	if err != nil {
		return nil, nil, err
	}
	adm = kadm.NewClient(c)
	return adm, c.Close, nil
}

// Print writes v as JSON, or the rows as a table under their heads.
func (g *Globals) Print(v any, heads []string, rows [][]string) error {
	if g.JSON {
		enc := json.NewEncoder(g.out())
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(g.out(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heads, "\t"))
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}
