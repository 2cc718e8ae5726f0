package lint

import "strings"

// owner says who may import the packages of a dependency.
type owner struct {
	dependency string // import path or, with "/..." at its end, all below it
	by         []string
	tests      bool     // every test may, too
	testsBy    []string // tests of these may, too
	instead    string
}

var anyone = []string{"audit/...", "consensus/...", "engine/...", "internal/...", "ops/...", "protocols/...", "simtest/...", "tiered/...", "txn/..."}

// owners lists every dependency: one that is not here is refused. The first pattern that matches decides.
var owners = []owner{
	// The simulator stands in for the Raft transport and the disks, so it implements these interfaces.
	{dependency: "github.com/lni/dragonboat/v4/raftio", by: []string{"consensus/...", "simtest/..."}, instead: "consensus's interface"},
	{dependency: "github.com/lni/dragonboat/v4/raftpb", by: []string{"consensus/...", "simtest/..."}, instead: "consensus's interface"},
	{dependency: "github.com/lni/dragonboat/v4/config", by: []string{"consensus/...", "simtest/..."}, instead: "consensus's options"},
	{dependency: "github.com/lni/dragonboat/v4/...", by: []string{"consensus/..."}, testsBy: []string{"simtest/..."}, instead: "consensus"},
	{dependency: "github.com/lni/vfs", by: []string{"consensus/...", "simtest/...", "ops/..."}, instead: "pebble's vfs, handed in"},
	{dependency: "github.com/lni/goutils/...", by: []string{"consensus/...", "simtest/..."}, instead: "math/rand/v2"},

	{dependency: "github.com/cockroachdb/pebble/v2/vfs/...", by: []string{"engine/...", "consensus/...", "ops/...", "simtest/..."}, instead: "a file system interface of your own"},
	// What errors of a vfs.FS are compared with.
	{dependency: "github.com/cockroachdb/errors/oserror", by: []string{"engine/...", "consensus/...", "ops/...", "simtest/..."}, instead: "io/fs's errors"},
	{dependency: "github.com/cockroachdb/pebble/v2/...", by: []string{"engine/..."}, testsBy: []string{"simtest/..."}, instead: "the engine's rows"},

	{dependency: "github.com/twmb/franz-go/pkg/kmsg/...", by: []string{"protocols/kafka/...", "ops/bench/...", "ops/crash", "ops/errortable", "ops/wire"}, tests: true, instead: "engine/broker's records"},
	{dependency: "github.com/twmb/franz-go/...", by: []string{"ops/...", "simtest/..."}, tests: true, instead: "engine/broker; clients are for tests and tools"},
	{dependency: "github.com/rabbitmq/amqp091-go", by: []string{"ops/...", "simtest/..."}, tests: true, instead: "engine/broker; clients are for tests and tools"},

	{dependency: "golang.org/x/mod/sumdb/...", by: []string{"audit/..."}, instead: "audit"},
	{dependency: "github.com/minio/minio-go/v7/...", by: []string{"tiered/..."}, instead: "tiered's interface"},
	{dependency: "gocloud.dev/...", by: []string{"tiered/..."}, instead: "tiered's interface"},
	{dependency: "github.com/colinmarc/hdfs/v2/...", by: []string{"tiered/..."}, instead: "tiered's interface"},

	{dependency: "google.golang.org/grpc/...", by: []string{"consensus/..."}, instead: "consensus's node-to-node calls"},
	{dependency: "google.golang.org/protobuf/...", by: []string{"consensus/..."}, instead: "consensus's node-to-node calls"},
	{dependency: "github.com/prometheus/...", by: []string{"ops/..."}, instead: "a Stats method that ops reads"},
	{dependency: "go.opentelemetry.io/...", by: []string{"ops/..."}, instead: "a hook that ops fills"},
	{dependency: "github.com/alecthomas/kong", by: []string{"ops/..."}, instead: "an options struct"},
	{dependency: "github.com/goccy/go-yaml/...", by: []string{"ops/..."}, instead: "an options struct"},

	// What a batch may be compressed with; its checks are in engine/batch and nowhere else.
	{dependency: "github.com/golang/snappy", by: []string{"engine/batch"}, tests: true, instead: "engine/batch"},
	{dependency: "github.com/pierrec/lz4/v4/...", by: []string{"engine/batch"}, tests: true, instead: "engine/batch"},
	{dependency: "github.com/klauspost/compress/...", by: anyone},
	{dependency: "github.com/cespare/xxhash/v2", by: anyone},

	{dependency: "github.com/cockroachdb/datadriven", by: []string{"simtest/..."}, tests: true, instead: "a test"},
	{dependency: "pgregory.net/rapid", by: []string{"simtest/..."}, tests: true, instead: "a test"},
	{dependency: "github.com/anishathalye/porcupine", by: []string{"simtest/..."}, tests: true, instead: "a test"},

	// The conformance test of net.Conn, for the simulated network.
	{dependency: "golang.org/x/net/nettest", by: []string{"simtest/..."}, instead: "a test in simtest/network"},
	{dependency: "golang.org/x/sync/...", by: anyone},
	{dependency: "golang.org/x/sys/...", by: anyone},
	{dependency: "golang.org/x/tools/...", by: []string{"internal/...", "simtest/overlay/..."}, instead: "go/parser"},
}

func checkOwners(r *reporter, p *Package) {
	if p.Path == "internal/deps" {
		return // its work is to name them all
	}
	for _, f := range p.Files {
		for _, s := range f.imports {
			first, _, _ := strings.Cut(s.path, "/")
			if _, own := ours(s.path); own || !strings.Contains(first, ".") {
				continue // ours or the standard library's
			}
			checkOwner(r, f, s, p.Path)
		}
	}
}

func checkOwner(r *reporter, f *File, s spec, from string) {
	for _, o := range owners {
		if !matches(o.dependency, s.path) {
			continue
		}
		if !matchesAny(o.by, from) && !(f.Test && (o.tests || matchesAny(o.testsBy, from))) {
			r.add(f, s.pos, "owners", "%s may not import %s, only %s may; use %s", from, s.path, strings.Join(o.by, ", "), o.instead)
		}
		return
	}
	r.add(f, s.pos, "owners", "%s has no owner; give it a line in internal/lint/owners.go, with a reason in the commit", s.path)
}
