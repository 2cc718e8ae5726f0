package lint_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tallymq/tallymq/internal/lint"
)

const documented = "// Package p is documented.\npackage p\n"

// judge returns the findings of sources, each as "file:line: rule".
func judge(t *testing.T, sources map[string]string) []string {
	t.Helper()
	m, err := lint.Parse(sources)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range lint.Check(m) {
		if f.What == "" || !strings.Contains(f.What, ";") && !strings.Contains(f.What, "use ") {
			t.Errorf("%v: says no replacement", f)
		}
		got = append(got, fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Rule))
	}
	return got
}

func want(t *testing.T, got []string, wanted ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("found\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(wanted, "\n\t"))
	}
}

// in is a documented package with one more file; the code begins on line 2 of it.
func in(folder, name, code string) map[string]string {
	return map[string]string{folder + "/doc.go": documented, folder + "/" + name: "package p\n" + code}
}

func importing(path string) string { return "import _ \"" + path + "\"\n" }

// TestArrows walks the architecture: what may import what, and what a test may.
func TestArrows(t *testing.T) {
	const up, down = false, true
	for _, a := range []struct {
		from, to string
		ok       bool
	}{
		{"engine/broker", "engine/batch", up}, {"engine/broker", "internal/invariant", down},
		{"engine/batch", "engine/broker", down}, {"engine/batch", "txn", up}, {"engine/batch", "engine/command", up},
		{"engine/command", "engine/broker", down}, {"engine/command", "engine/keyspace", up}, {"engine/keyspace", "engine", up},
		{"txn", "internal/invariant", down}, {"txn", "engine/broker", up}, {"txn", "consensus", up}, {"audit", "txn", up}, {"tiered", "audit", up},
		{"consensus/journal", "consensus", up}, {"consensus/journal", "consensus/rpc", up}, {"consensus", "consensus/journal", down},
		{"consensus/rpc", "consensus", down}, {"consensus", "engine/broker", up}, {"consensus", "txn", up},
		{"engine/partition", "txn", down}, {"engine/partition", "engine/batch", down}, {"engine/partition", "consensus", up},
		{"engine/partition", "engine/group", up}, {"engine/queue", "engine/partition", up}, {"engine/catalog", "engine/command", down},
		{"engine", "engine/partition", down}, {"engine", "consensus/journal", down}, {"engine", "tiered", down}, {"engine", "protocols/kafka", up},
		{"protocols/kafka", "engine/broker", down}, {"protocols/kafka", "protocols/kafka/wire", down}, {"protocols/kafka", "engine", up},
		{"protocols/kafka", "engine/batch", up}, {"protocols/kafka", "protocols/amqp", up}, {"protocols/amqp", "txn", up},
		{"ops/config", "engine", down}, {"ops/config", "ops/node", up}, {"ops/node", "ops/config", down}, {"ops/node", "protocols/amqp", down},
		{"ops/node", "simtest", up}, {"ops/admin", "simtest", up}, {"ops/tallymq", "simtest", down}, {"ops/tallymq", "ops/node", down},
		{"simtest", "ops/node", down}, {"simtest", "engine/partition", down}, {"simtest", "ops/tallymq", up},
		{"engine", "internal/deps", up}, {"ops/node", "internal/lint", up},
	} {
		code := importing(lint.ModulePath + "/" + a.to)
		if a.ok {
			want(t, judge(t, in(a.from, "x.go", code)))
		} else {
			want(t, judge(t, in(a.from, "x.go", code)), a.from+"/x.go:2: layers")
		}
	}
	for _, a := range []struct {
		from, to string
		ok       bool
	}{
		{"engine/batch", "txn", down}, {"engine/partition", "engine/group", down}, {"engine/batch", "engine", up},
		{"txn", "consensus", down}, {"txn", "engine/batch", up}, {"engine", "simtest", up}, {"protocols/kafka", "engine", down},
		{"ops/config", "ops/node", up}, {"simtest", "ops/node", down}, {"engine", "ops/config", up},
	} {
		code := importing(lint.ModulePath + "/" + a.to)
		if a.ok {
			want(t, judge(t, in(a.from, "x_test.go", code)))
		} else {
			want(t, judge(t, in(a.from, "x_test.go", code)), a.from+"/x_test.go:2: layers")
		}
	}
}

func TestUnlistedPackage(t *testing.T) {
	for _, folder := range []string{"util", "engine/newthing", "protocols/mqtt"} {
		want(t, judge(t, map[string]string{folder + "/doc.go": documented}), folder+"/doc.go:2: layers")
	}
}

func TestOwners(t *testing.T) {
	for _, o := range []struct {
		dependency, owner, stranger string
		testsToo                    bool
	}{
		{"github.com/lni/dragonboat/v4", "consensus", "engine", false},
		{"github.com/lni/dragonboat/v4/raftio", "simtest", "engine", false},
		{"github.com/lni/vfs", "simtest", "engine", false},
		{"github.com/cockroachdb/pebble/v2", "engine/store", "consensus/journal", false},
		{"github.com/cockroachdb/pebble/v2/sstable", "engine/store", "ops/node", false},
		{"github.com/cockroachdb/pebble/v2/vfs", "consensus/journal", "txn", false},
		{"github.com/twmb/franz-go/pkg/kmsg", "protocols/kafka", "engine", true},
		{"github.com/twmb/franz-go/pkg/kgo", "ops/bench", "protocols/kafka", true},
		{"github.com/rabbitmq/amqp091-go", "simtest", "protocols/amqp", true},
		{"google.golang.org/grpc", "consensus/rpc", "ops/node", false},
		{"github.com/prometheus/client_golang/prometheus", "ops/metrics", "engine", false},
		{"github.com/alecthomas/kong", "ops/config", "engine", false},
		{"github.com/goccy/go-yaml", "ops/config", "engine", false},
		{"github.com/golang/snappy", "engine/batch", "protocols/kafka", true},
		{"golang.org/x/mod/sumdb/tlog", "audit", "engine", false},
		{"pgregory.net/rapid", "simtest", "txn", true},
	} {
		code := importing(o.dependency)
		want(t, judge(t, in(o.owner, "x.go", code)))
		want(t, judge(t, in(o.stranger, "x.go", code)), o.stranger+"/x.go:2: owners")
		if o.testsToo {
			want(t, judge(t, in(o.stranger, "x_test.go", code)))
		} else {
			want(t, judge(t, in(o.stranger, "x_test.go", code)), o.stranger+"/x_test.go:2: owners")
		}
	}
	want(t, judge(t, in("engine", "x.go", importing("example.org/unheard/of"))), "engine/x.go:2: owners")
}

func TestPureImportsAndCalls(t *testing.T) {
	for _, pkg := range []string{"math/rand", "math/rand/v2", "crypto/rand", "hash/maphash", "os", "os/signal", "net", "net/http", "syscall", "log", "log/slog", "runtime"} {
		want(t, judge(t, in("txn", "x.go", importing(pkg))), "txn/x.go:2: purity")
		want(t, judge(t, in("txn", "x_test.go", importing(pkg))))
	}
	want(t, judge(t, in("engine/catalog", "x.go", importing("net/netip"))))
	for _, name := range []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"} {
		want(t, judge(t, in("engine/partition", "x.go", "import \"time\"\nfunc f() { _ = time."+name+" }\n")), "engine/partition/x.go:3: purity")
	}
	// Renamed imports are seen through, and a variable that is called time is not the package.
	want(t, judge(t, in("txn", "x.go", "import clock \"time\"\nfunc f() { _ = clock.Now }\n")), "txn/x.go:3: purity")
	want(t, judge(t, in("txn", "x.go", "type c struct{ Now int }\nfunc f(time c) int { return time.Now }\n")))
	want(t, judge(t, in("txn", "x.go", "import \"time\"\nconst d time.Duration = time.Second\n")))
	// The same code elsewhere is nobody's business.
	want(t, judge(t, in("engine", "x.go", "import \"time\"\nfunc f() { _ = time.Now(); go f() }\n")))
	want(t, judge(t, in("engine/group", "x.go", "import \"sync\"\nvar p sync.Pool\n")), "engine/group/x.go:3: purity")
	want(t, judge(t, in("engine/group", "x.go", "import \"sync\"\nvar p sync.Map\n")), "engine/group/x.go:3: purity")
	// A point only tells, so it may be in a machine; an act would differ between replicas.
	want(t, judge(t, in("engine/group", "x.go", "import \"github.com/tallymq/tallymq/internal/point\"\nvar p = point.New(\"group/x\")\n")))
	want(t, judge(t, in("engine/group", "x.go", "import \"github.com/tallymq/tallymq/internal/point\"\nvar p = point.NewAct(\"group/x\")\n")), "engine/group/x.go:3: purity")
	want(t, judge(t, in("engine/batch", "x.go", "import \"sync\"\nvar p sync.Pool\n")))
}

func TestPureStatements(t *testing.T) {
	for name, c := range map[string]struct {
		code  string
		lines []int
	}{
		"go":              {"func f() { go f() }\n", []int{2}},
		"select":          {"func f(c chan int) {\n\tselect {\n\tcase <-c:\n\t}\n}\n", []int{3}},
		"map":             {"func f(m map[int]int) {\n\tfor range m {\n\t}\n}\n", []int{3}},
		"map field":       {"type s struct{ m map[int]int }\nfunc (s *s) f() {\n\tfor k := range s.m {\n\t\t_ = k\n\t}\n}\n", []int{4}},
		"named map":       {"type set map[int]bool\nfunc f(s set) {\n\tfor k := range s {\n\t\t_ = k\n\t}\n}\n", []int{4}},
		"inferred map":    {"func g() map[int]int { return nil }\nfunc f() {\n\tm := g()\n\tfor range m {\n\t}\n}\n", []int{5}},
		"generic map":     {"func f[M ~map[K]V, K comparable, V any](m M) {\n\tfor range m {\n\t}\n}\n", []int{3}},
		"cloned map":      {"import \"maps\"\nfunc f(m map[int]int) {\n\tfor range maps.Clone(m) {\n\t}\n}\n", []int{4}},
		"map of broker":   {"import \"github.com/tallymq/tallymq/engine/broker\"\nfunc f(t broker.Topics) {\n\tfor range t.All {\n\t}\n}\n", []int{4}},
		"keys":            {"import \"maps\"\nfunc f(m map[int]int) {\n\tfor range maps.Keys(m) {\n\t}\n}\n", []int{4}},
		"collected keys":  {"import (\n\t\"maps\"\n\t\"slices\"\n)\nfunc f(m map[int]int) { _ = slices.Collect(maps.Keys(m)) }\n", []int{6}},
		"unknown":         {"import \"github.com/cespare/xxhash/v2\"\nfunc f() {\n\tfor range xxhash.Sums() {\n\t}\n}\n", []int{4}},
		"no reason":       {"func f(m map[int]int) {\n\t//lint:sorted\n\tfor range m {\n\t}\n}\n", []int{4}},
		"ok: reason":      {"func f(m map[int]int) (n int) {\n\t//lint:sorted a sum has no order\n\tfor _, v := range m {\n\t\tn += v\n\t}\n\treturn n\n}\n", nil},
		"ok: same line":   {"func f(m map[int]int) {\n\tfor range m { //lint:sorted counts only\n\t}\n}\n", nil},
		"ok: sorted":      {"import (\n\t\"maps\"\n\t\"slices\"\n)\nfunc f(m map[int]int) {\n\tfor range slices.Sorted(maps.Keys(m)) {\n\t}\n}\n", nil},
		"ok: sorted func": {"import (\n\t\"cmp\"\n\t\"maps\"\n\t\"slices\"\n)\nfunc f(m map[int]int) {\n\t_ = slices.SortedFunc(maps.Keys(m), cmp.Compare[int])\n}\n", nil},
		"ok: slices": {"import \"strings\"\ntype ids []int\nfunc f(s []int, a [3]int, i ids, n int, it func(func(int) bool)) {\n\tfor range s {\n\t}\n\tfor range a {\n\t}\n" +
			"\tfor range i {\n\t}\n\tfor range n {\n\t}\n\tfor range it {\n\t}\n\tfor range strings.Fields(\"a\") {\n\t}\n\tfor range \"text\" {\n\t}\n}\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			sources := in("engine/group", "x.go", c.code)
			sources["engine/broker/doc.go"] = documented
			sources["engine/broker/topics.go"] = "package p\ntype Topics struct{ All map[string]int }\n"
			var wanted []string
			for _, line := range c.lines {
				wanted = append(wanted, fmt.Sprintf("engine/group/x.go:%d: purity", line))
			}
			want(t, judge(t, sources), wanted...)
		})
	}
}

func TestDocs(t *testing.T) {
	want(t, judge(t, map[string]string{"txn/x.go": documented}), "txn/x.go:2: docs")
	want(t, judge(t, map[string]string{"txn/doc.go": "// Package p is not attached.\n\npackage p\n"}), "txn/doc.go:3: docs")
	want(t, judge(t, map[string]string{"txn/doc.go": "package p\n"}), "txn/doc.go:1: docs")
	want(t, judge(t, map[string]string{"txn/x_test.go": "package p\n"}))
	want(t, judge(t, in("engine", "x.go", "func init() {}\n")), "engine/x.go:2: docs")
	want(t, judge(t, in("engine", "x.go", "//lint:init fills a table\nfunc init() {}\n")))
	check := "import \"github.com/tallymq/tallymq/internal/invariant\"\nfunc init() {\n\tinvariant.Check(true, \"\")\n%s}\n"
	want(t, judge(t, in("engine", "x.go", fmt.Sprintf(check, ""))))
	want(t, judge(t, in("engine", "x.go", fmt.Sprintf(check, "\tprintln()\n"))), "engine/x.go:3: docs")
	want(t, judge(t, in("engine", "x.go", "type t int\nfunc (t) init() {}\n")))
	want(t, judge(t, in("engine", "x.go", "import \"time\"\nvar born = time.Now()\n")), "engine/x.go:3: docs")
	want(t, judge(t, in("engine", "x.go", "import \"math/rand/v2\"\nvar seed = rand.Uint64()\n")), "engine/x.go:3: docs")
	want(t, judge(t, in("engine", "x.go", "var x = func() int {\n\tgo println()\n\treturn 0\n}()\n")), "engine/x.go:3: docs")
	want(t, judge(t, in("engine", "x.go", "import \"time\"\nvar now = func() time.Time { return time.Now() }\n")))
}

func TestEffects(t *testing.T) {
	for _, c := range []struct{ pkg, name string }{
		{"os", "Open"}, {"os", "OpenFile"}, {"os", "OpenRoot"}, {"os", "Create"}, {"os", "CreateTemp"}, {"os", "ReadFile"}, {"os", "WriteFile"},
		{"os", "ReadDir"}, {"os", "MkdirAll"}, {"os", "RemoveAll"}, {"os", "Rename"}, {"os", "Exit"}, {"os", "Getenv"},
		{"net", "Listen"}, {"net", "ListenTCP"}, {"net", "ListenPacket"}, {"net", "ListenConfig"}, {"net", "Dial"}, {"net", "DialTimeout"}, {"net", "Dialer"},
		{"log", "Fatal"}, {"log", "Fatalf"}, {"log", "Panicf"},
	} {
		code := fmt.Sprintf("import %q\nvar _ = %s.%s\n", c.pkg, c.pkg, c.name)
		want(t, judge(t, in("consensus", "x.go", code)), "consensus/x.go:3: effects")
		want(t, judge(t, in("consensus", "x_test.go", code)))
		want(t, judge(t, in("ops/node", "x.go", code)))
	}
	// A type is no effect.
	want(t, judge(t, in("consensus", "x.go", "import \"net\"\nvar _ net.Listener\n")))
	vfs := "import \"github.com/cockroachdb/pebble/v2/vfs\"\nvar fs = vfs.Default\n"
	want(t, judge(t, in("consensus", "x.go", vfs)), "consensus/x.go:3: effects")
	want(t, judge(t, in("consensus", "x.go", "import . \"os\"\nvar _ = Open\n")), "consensus/x.go:2: effects")
	// The seams, and no file beside them.
	open := "import \"os\"\nvar _ = os.OpenFile\n"
	want(t, judge(t, in("consensus/journal", "direct_linux.go", open)))
	want(t, judge(t, in("consensus/journal", "direct.go", open)), "consensus/journal/direct.go:3: effects")
	want(t, judge(t, in("consensus", "direct_linux.go", open)), "consensus/direct_linux.go:3: effects")
}

func TestSize(t *testing.T) {
	long := strings.Repeat("\n", 600)
	want(t, judge(t, in("engine", "x.go", long)), "engine/x.go:1: size")
	want(t, judge(t, in("engine", "x.go", long[1:])))
	generated := map[string]string{"engine/doc.go": documented, "engine/x.go": "// Code generated by gen. DO NOT EDIT.\n\npackage p\n" + long}
	want(t, judge(t, generated))
}

func TestFilesOfNoBuildAreLeftOut(t *testing.T) {
	code := "//go:build ignore\n\npackage main\n\nimport _ \"github.com/tallymq/tallymq/engine\"\n"
	want(t, judge(t, map[string]string{"txn/doc.go": documented, "txn/gen.go": code}))
	code = strings.Replace(code, "ignore", "linux", 1)
	want(t, judge(t, map[string]string{"txn/doc.go": documented, "txn/gen.go": code}), "txn/gen.go:5: layers")
}

func TestSourceThatDoesNotParseIsAnError(t *testing.T) {
	if _, err := lint.Parse(map[string]string{"txn/x.go": "package"}); err == nil {
		t.Fatal("accepted")
	}
}
