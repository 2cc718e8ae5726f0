package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Queue is the queue command.
type Queue struct {
	List    QueueList    `cmd:"" help:"List queues of AMQP and what waits in them."`
	Keys    QueueKeys    `cmd:"" help:"Say why keys of a queue with x-ordering-key wait: each has a message that is not settled."`
	Release QueueRelease `cmd:"" help:"Let keys go on whose message failed too often and was parked."`
}

// AdminGlobals are the flags of commands that ask a node's admin address.
type AdminGlobals struct {
	Admin string `default:"http://127.0.0.1:8080" env:"TALLYMQ_ADMIN" help:"Admin address of any node."`
	JSON  bool   `name:"json" help:"Print JSON instead of tables."`

	Globals Globals `kong:"-"` // where results go
}

// ask sends a request and decodes the answer, which is also given as it came.
func (g *AdminGlobals) ask(method, path string, query url.Values, into any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(g.Admin, "/")+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", g.Admin, err)
	}
	defer res.Body.Close()
	var raw json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&raw); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", g.Admin, err)
	}
	if res.StatusCode != http.StatusOK {
		var why struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(raw, &why)
		return nil, errors.New(why.Error)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", g.Admin, err)
	}
	return raw, nil
}

func (g *AdminGlobals) print(raw json.RawMessage, heads []string, rows [][]string) error {
	g.Globals.JSON = g.JSON
	return g.Globals.Print(raw, heads, rows)
}

// QueueList lists queues.
type QueueList struct{}

// Run lists them.
func (c *QueueList) Run(g *AdminGlobals) error {
	var qs []struct {
		VHost                                      string
		Name                                       string
		Shard                                      uint64
		Ordered, Here                              bool
		Ready, Unsettled, Parked, Dying, Consumers int
	}
	raw, err := g.ask(http.MethodGet, "/v1/queues", nil, &qs)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, q := range qs {
		row := []string{q.VHost, q.Name, fmt.Sprint(q.Shard), "-", "-", "-", "-", "-", "-"}
		if q.Here {
			row = []string{q.VHost, q.Name, fmt.Sprint(q.Shard), yesNo(q.Ordered), fmt.Sprint(q.Ready), fmt.Sprint(q.Unsettled), fmt.Sprint(q.Parked), fmt.Sprint(q.Dying), fmt.Sprint(q.Consumers)}
		}
		rows = append(rows, row)
	}
	return g.print(raw, []string{"VHOST", "QUEUE", "SHARD", "ORDERED", "READY", "UNSETTLED", "PARKED", "DEAD-LETTERS", "CONSUMERS"}, rows)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// QueueKeys says why keys wait.
type QueueKeys struct {
	Name   string `arg:"" help:"Name of the queue."`
	VHost  string `default:"/" help:"Virtual host."`
	Parked bool   `help:"Only keys whose message failed too often."`
}

// Run shows them.
func (c *QueueKeys) Run(g *AdminGlobals) error {
	var ks []struct {
		Key     string
		Message uint64
		State   string
		Failed  uint32 `json:"failed_deliveries"`
		Node    int32
		Session uint64
		Channel uint16
		Tag     string `json:"consumer_tag"`
		Waiting int
	}
	raw, err := g.ask(http.MethodGet, "/v1/queue/keys", url.Values{"vhost": {c.VHost}, "name": {c.Name}, "parked": {fmt.Sprint(c.Parked)}}, &ks)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, k := range ks {
		why := ""
		switch k.State {
		case "acquired":
			why = fmt.Sprintf("delivered to consumer %q of node %d, session %d, channel %d, which has not settled it", k.Tag, k.Node, k.Session, k.Channel)
		case "held":
			why = "a transaction over several shards is to decide"
		case "parked":
			why = "its delivery failed too often: tallymq queue release"
		}
		rows = append(rows, []string{fmt.Sprintf("%q", k.Key), fmt.Sprint(k.Message), k.State, fmt.Sprint(k.Failed), fmt.Sprint(k.Waiting), why})
	}
	return g.print(raw, []string{"KEY", "MESSAGE", "STATE", "FAILED", "WAITING", "WHY"}, rows)
}

// QueueRelease releases parked messages.
type QueueRelease struct {
	Name    string `arg:"" help:"Name of the queue."`
	VHost   string `default:"/" help:"Virtual host."`
	Key     string `help:"The key to release."`
	All     bool   `help:"Release all keys."`
	Discard bool   `help:"Take the message out of the queue as if a consumer had rejected it (to where dead letters go, if the queue has that), instead of delivering it again."`
}

// Run releases.
func (c *QueueRelease) Run(g *AdminGlobals) error {
	var r struct{ Released int }
	q := url.Values{"vhost": {c.VHost}, "name": {c.Name}, "all": {fmt.Sprint(c.All)}, "discard": {fmt.Sprint(c.Discard)}}
	if !c.All {
		q.Set("key", c.Key)
	}
	raw, err := g.ask(http.MethodPost, "/v1/queue/release", q, &r)
	if err != nil {
		return err
	}
	return g.print(raw, []string{"RELEASED"}, [][]string{{fmt.Sprint(r.Released)}})
}
