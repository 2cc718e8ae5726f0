package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallymq/tallymq/engine"
	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/engine/catalog"
	"github.com/tallymq/tallymq/internal/freeport"
	"github.com/tallymq/tallymq/ops/admin"
	"github.com/tallymq/tallymq/ops/config"
	"github.com/tallymq/tallymq/ops/node"
)

// patience bounds what must come to pass; far above what any machine needs.
const patience = time.Minute

// server is one node with its disk: it may be stopped, started and damaged.
type server struct {
	t    testing.TB
	cfg  *config.Config
	disk *disk
	log  *journalist

	mu    sync.Mutex
	n     *node.Node
	dead  chan struct{} // closed when this incarnation is down
	fatal error         // why the last incarnation stopped by itself
}

// servers is the cluster.
type servers struct {
	t     testing.TB
	nodes []*server
	tune  func(*config.Config)
}

// journalist keeps what a node logs.
type journalist struct {
	slog.Handler
	mu    *sync.Mutex
	lines *[]string
	attrs string
	level slog.Level
}

func newJournalist() *journalist {
	level := slog.LevelInfo
	if os.Getenv("TALLYMQ_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return &journalist{mu: &sync.Mutex{}, lines: &[]string{}, level: level}
}

func (j *journalist) Enabled(_ context.Context, l slog.Level) bool { return l >= j.level }

func (j *journalist) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v %s%s", r.Time.Format("05.000"), r.Level, r.Message, j.attrs)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %v", a); return true })
	j.mu.Lock()
	defer j.mu.Unlock()
	*j.lines = append(*j.lines, b.String())
	return nil
}

func (j *journalist) WithAttrs(as []slog.Attr) slog.Handler {
	x := *j
	for _, a := range as {
		x.attrs += " " + a.String()
	}
	return &x
}

func (j *journalist) WithGroup(string) slog.Handler { return j }

// said finds the first line with all the words.
func (j *journalist) said(words ...string) (string, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
next:
	for _, l := range *j.lines {
		for _, w := range words {
			if !strings.Contains(l, w) {
				continue next
			}
		}
		return l, true
	}
	return "", false
}

// newServers starts n nodes that begin together. Everything is small, so that what is
// rare elsewhere is common here.
func newServers(t testing.TB, n int, tune func(*config.Config)) *servers {
	t.Helper()
	c := &servers{t: t, tune: tune}
	var initial []string
	for i := range n {
		s := c.add()
		initial = append(initial, fmt.Sprintf("%d=%s/%s", i+1, s.cfg.RaftListen, s.cfg.RPCListen))
	}
	t.Cleanup(c.close)
	for _, s := range c.nodes {
		s.cfg.InitialCluster = initial
	}
	c.startAll(c.nodes...)
	c.ready()
	return c
}

// add makes a node that was never started.
func (c *servers) add() *server {
	a, err := freeport.Addresses(4)
	if err != nil {
		c.t.Fatal(err)
	}
	s := &server{t: c.t, disk: newDisk(), log: newJournalist(), cfg: &config.Config{
		NodeID: int32(len(c.nodes) + 1), DataDir: "/data", KafkaListen: a[0], AMQPListen: a[3], RaftListen: a[1], RPCListen: a[2],
		DataShards: 2, DefaultPartitions: 2, AutoCreateTopics: false,
		RetentionCheckInterval: time.Minute, CompactionCheckInterval: time.Second, OffsetsRetention: time.Hour, ProducerIDExpiry: time.Hour,
		SegmentBytes: 1 << 20, JournalCacheBytes: 2 << 20, RowCacheBytes: 1 << 20, MemtableBytes: 256 << 10,
		ReserveBytes: 4 << 20, MaxRequestBytes: 4 << 20, InflightBytes: 16 << 20,
		MaxConnections: 100, ConnectionMaxIdle: 10 * time.Minute, RTT: 10 * time.Millisecond, ShutdownTime: 10 * time.Second,
	}}
	if c.tune != nil {
		c.tune(s.cfg)
	}
	c.nodes = append(c.nodes, s)
	return s
}

func (c *servers) startAll(nodes ...*server) {
	c.t.Helper()
	var wg sync.WaitGroup
	for _, s := range nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := s.start(); err != nil {
				c.t.Errorf("start node %d: %v", s.cfg.NodeID, err)
			}
		}()
	}
	wg.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

func (c *servers) close() {
	for _, s := range c.nodes {
		s.stop()
		if c.t.Failed() && os.Getenv("TALLYMQ_TEST_LOG") != "" {
			s.log.mu.Lock()
			_ = os.WriteFile(fmt.Sprintf("%s/%s-%d.log", os.Getenv("TALLYMQ_TEST_LOG"), strings.ReplaceAll(c.t.Name(), "/", "_"), s.cfg.NodeID), []byte(strings.Join(*s.log.lines, "\n")), 0o644)
			s.log.mu.Unlock()
		}
	}
}

// start is what `tallymq serve` does, without the signals: a node that must not go on ends.
func (s *server) start() error {
	fx := node.OS(false)
	fx.FS = s.disk
	n, err := node.Start(context.Background(), s.cfg, fx, slog.New(s.log).With("node", s.cfg.NodeID))
	if err != nil {
		return err
	}
	dead := make(chan struct{})
	s.mu.Lock()
	s.n, s.dead, s.fatal = n, dead, nil
	s.mu.Unlock()
	go func() {
		select {
		case err = <-n.Fatal():
		case err = <-n.Engine.Fatal():
		case <-dead:
			return
		}
		s.mu.Lock()
		if s.n == n {
			s.fatal = err
		}
		s.mu.Unlock()
		s.stop()
	}()
	return nil
}

// stop ends the node if it runs.
func (s *server) stop() {
	s.mu.Lock()
	n, dead := s.n, s.dead
	s.n = nil
	s.mu.Unlock()
	if n == nil {
		if dead != nil {
			<-dead
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := n.Close(ctx)
	s.mu.Lock()
	if err != nil && s.fatal == nil {
		s.t.Errorf("close node %d: %v", s.cfg.NodeID, err)
	}
	s.mu.Unlock()
	close(dead)
}

func (s *server) restart() {
	s.t.Helper()
	s.stop()
	if err := s.start(); err != nil {
		s.t.Fatalf("start node %d again: %v", s.cfg.NodeID, err)
	}
}

func (s *server) node() *node.Node { s.mu.Lock(); defer s.mu.Unlock(); return s.n }

// why is the reason for which the node stopped by itself.
func (s *server) why() error { s.mu.Lock(); defer s.mu.Unlock(); return s.fatal }

// get asks the admin server for a page.
func (s *server) get(path string) string {
	n := s.node()
	if n == nil {
		return ""
	}
	w := httptest.NewRecorder()
	admin.Handler(n).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Body.String()
}

// cluster is what /v1/cluster tells.
func (s *server) cluster() (c engine.ClusterState) {
	_ = json.Unmarshal([]byte(s.get("/v1/cluster")), &c)
	return c
}

// metric reads one figure of /metrics; -1 when there is none.
func (s *server) metric(name string) float64 {
	for _, l := range strings.Split(s.get("/metrics"), "\n") {
		var v float64
		if rest, ok := strings.CutPrefix(l, name+" "); ok {
			if _, err := fmt.Sscan(rest, &v); err == nil {
				return v
			}
		}
	}
	return -1
}

// eventually tries until it works.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = f(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// ready waits until every running node can serve.
func (c *servers) ready() {
	c.t.Helper()
	for _, s := range c.nodes {
		if n := s.node(); n != nil {
			eventually(c.t, fmt.Sprintf("node %d ready", s.cfg.NodeID), n.Engine.Ready)
		}
	}
}

// healthy waits until every shard has its replicas on live nodes, all voters, whole,
// undamaged and caught up, and none of the replicas in gone is among them.
func (c *servers) healthy(gone map[uint64]map[uint64]bool) {
	c.t.Helper()
	eventually(c.t, "every shard has its replicas", func() error {
		var s *server
		for _, x := range c.nodes {
			if x.node() != nil {
				s = x
				break
			}
		}
		st := s.cluster()
		if len(st.Shards) == 0 {
			return fmt.Errorf("no catalog yet")
		}
		want := catalog.Replicas(len(st.Nodes))
		for _, sh := range st.Shards {
			if len(sh.Replicas) != want || sh.Leader == broker.NoNode {
				return fmt.Errorf("shard %d: leader %d, %d replicas, want %d", sh.ID, sh.Leader, len(sh.Replicas), want)
			}
			most := uint64(0)
			for _, r := range sh.Replicas {
				most = max(most, r.Applied)
			}
			for _, r := range sh.Replicas {
				if r.State != "voting" || !r.Whole || r.Damaged != "" || r.Applied+100 < most || gone[uint64(sh.ID)][r.Replica] {
					return fmt.Errorf("shard %d: %+v, the others are at %d", sh.ID, r, most)
				}
			}
		}
		return nil
	})
}

// replicasOf lists the replica ids that a node has, by shard, as the catalog says.
func (c *servers) replicasOf(s *server) map[uint64]map[uint64]bool {
	out := map[uint64]map[uint64]bool{}
	for _, x := range c.nodes {
		if x.node() == nil {
			continue
		}
		for _, sh := range x.cluster().Shards {
			for _, r := range sh.Replicas {
				if int32(r.Node) == s.cfg.NodeID {
					out[uint64(sh.ID)] = map[uint64]bool{r.Replica: true}
				}
			}
		}
		break
	}
	return out
}

// seeds are the running nodes' Kafka addresses.
func (c *servers) seeds() []string {
	var out []string
	for _, s := range c.nodes {
		out = append(out, s.cfg.KafkaListen)
	}
	return out
}

// leaderOf finds the node that leads a shard.
func (c *servers) leaderOf(shard uint64) *server {
	c.t.Helper()
	var out *server
	eventually(c.t, fmt.Sprintf("shard %d has a leader", shard), func() error {
		for _, s := range c.nodes {
			if n := s.node(); n != nil {
				if _, ok := n.Host.Leading(shard); ok {
					out = s
					return nil
				}
			}
		}
		return fmt.Errorf("none leads")
	})
	return out
}

// follower is a running node that does not lead the shard but hosts it.
func (c *servers) follower(shard uint64) *server {
	c.t.Helper()
	lead := c.leaderOf(shard)
	i := slices.IndexFunc(c.nodes, func(s *server) bool { return s != lead && s.node() != nil && len(c.replicasOf(s)[shard]) > 0 })
	return c.nodes[i]
}

// lead makes a node the leader of a shard.
func (c *servers) lead(shard uint64, s *server) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("node %d leads shard %d", s.cfg.NodeID, shard), func() error {
		n := s.node()
		if _, ok := n.Host.Leading(shard); ok {
			return nil
		}
		for id := range c.replicasOf(s)[shard] {
			if l := c.leaderOf(shard).node(); l != nil {
				_ = l.Host.TransferLeader(shard, id)
			}
		}
		time.Sleep(50 * time.Millisecond)
		return fmt.Errorf("not yet")
	})
}

func seeded(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TALLYMQ_TEST_SEED"); s != "" {
		fmt.Sscan(s, &seed)
	}
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
