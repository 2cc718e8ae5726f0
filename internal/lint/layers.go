package lint

import (
	"strings"
)

// Levels, from the bottom. A test may import whatever is not above its package, and internal.
const (
	levelFoundation = iota // internal: the only packages that everyone may import
	levelVocabulary        // engine/broker
	levelPillars           // txn, audit, tiered, consensus
	levelMachines          // engine/...: pure state machines, rows, batches
	levelEngine            // engine
	levelProtocols
	levelOps
	levelSimulator
	levelCommand // ops/tallymq, the binary, which can also run the simulator
)

// layer says what the packages of a pattern may import of ours, besides internal/... and the pattern's own.
type layer struct {
	packages string
	level    int
	imports  []string
}

// Everything below ops/node and simtest, for those that assemble it.
var belowOps = []string{"engine/...", "txn/...", "audit/...", "tiered/...", "consensus/...", "protocols/..."}

// What a state machine is made of.
var machineParts = []string{"engine/broker", "engine/batch", "engine/command", "engine/keyspace", "txn/..."}

// layers is the architecture: imports only point down. The first pattern that matches decides; a package that none
// matches must be added here before it is written.
var layers = []layer{
	{packages: "internal/...", level: levelFoundation},

	{packages: "engine/broker", level: levelVocabulary},

	// The four pillars do not know each other.
	{packages: "txn/...", level: levelPillars},
	{packages: "audit/...", level: levelPillars},
	{packages: "tiered/...", level: levelPillars},
	{packages: "consensus/journal/...", level: levelPillars},
	{packages: "consensus/...", level: levelPillars, imports: []string{"consensus/..."}},

	{packages: "engine/batch", level: levelMachines, imports: []string{"engine/broker"}},
	{packages: "engine/command/...", level: levelMachines, imports: []string{"engine/broker"}},
	{packages: "engine/keyspace", level: levelMachines, imports: []string{"engine/broker"}},
	{packages: "engine/store", level: levelMachines, imports: []string{"engine/broker", "engine/keyspace"}},
	{packages: "engine/partition", level: levelMachines, imports: machineParts},
	{packages: "engine/compaction", level: levelMachines, imports: append([]string{"engine/partition"}, machineParts...)},
	{packages: "engine/group", level: levelMachines, imports: machineParts},
	{packages: "engine/transaction", level: levelMachines, imports: machineParts},
	{packages: "engine/catalog", level: levelMachines, imports: machineParts},
	{packages: "engine/routing", level: levelMachines, imports: []string{"engine/broker"}},
	{packages: "engine/queueing", level: levelMachines, imports: machineParts},
	{packages: "engine/queue", level: levelMachines, imports: machineParts},

	{packages: "engine", level: levelEngine, imports: []string{"engine/...", "txn/...", "audit/...", "tiered/...", "consensus/..."}},

	// Front ends translate; they see the vocabulary only, and never each other.
	{packages: "protocols/kafka/...", level: levelProtocols, imports: []string{"engine/broker"}},
	// The broker in memory routes as the engine does.
	{packages: "protocols/amqp/amqptest", level: levelProtocols, imports: []string{"engine/broker", "engine/routing"}},
	{packages: "protocols/amqp/...", level: levelProtocols, imports: []string{"engine/broker"}},

	{packages: "ops/tallymq", level: levelCommand, imports: append([]string{"ops/...", "simtest/..."}, belowOps...)},
	{packages: "ops/crash", level: levelCommand, imports: []string{"simtest/check", "ops/local"}},
	{packages: "ops/example/...", level: levelCommand, imports: []string{"ops/local"}},
	{packages: "ops/soak", level: levelCommand, imports: []string{"ops/local"}},
	{packages: "ops/benchmark", level: levelCommand, imports: []string{"consensus/...", "ops/..."}},
	{packages: "ops/node/...", level: levelOps, imports: append([]string{"ops/..."}, belowOps...)},
	{packages: "ops/...", level: levelOps, imports: append([]string{"ops/..."}, belowOps...)},

	{packages: "simtest/...", level: levelSimulator, imports: append([]string{"ops/..."}, belowOps...)},
}

// closed are packages that only the named ones import, whatever the layers say.
var closed = []struct {
	packages, by string
	reason       string
}{
	{"ops/tallymq", "", "it is the program"},
	{"ops/node/...", "ops/node/... ops/admin/... ops/tallymq simtest/...", "it assembles a node; what it assembles does not know it"},
	{"simtest/...", "simtest/... ops/tallymq ops/crash", "the product does not know that it is simulated; the crash test judges by the same checkers"},
	{"internal/deps", "", "it only pins modules"},
	{"internal/lint", "", "it judges the code and is no part of it"},
}

func layerOf(p string) (layer, bool) {
	for _, l := range layers {
		if matches(l.packages, p) {
			return l, true
		}
	}
	return layer{}, false
}

// ours is the path of an import from the module's root.
func ours(importPath string) (string, bool) {
	if importPath == ModulePath {
		return "", true
	}
	return strings.CutPrefix(importPath, ModulePath+"/")
}

func checkLayers(r *reporter, p *Package) {
	own, ok := layerOf(p.Path)
	if !ok {
		f := p.Files[0]
		r.add(f, f.syntax.Package, "layers", "package %q is in no layer; give it a line in internal/lint/layers.go", p.Path)
		return
	}
	for _, f := range p.Files {
		for _, s := range f.imports {
			target, ok := ours(s.path)
			if !ok || target == p.Path {
				continue
			}
			checkArrow(r, f, s, p.Path, own, target)
		}
	}
}

func checkArrow(r *reporter, f *File, s spec, from string, own layer, to string) {
	for _, c := range closed {
		if matches(c.packages, to) && !matchesAny(strings.Fields(c.by), from) {
			r.add(f, s.pos, "layers", "%s may not import %s: %s; move what both need below them", from, to, c.reason)
			return
		}
	}
	if matches("internal/...", to) || matches(own.packages, to) || matchesAny(own.imports, to) {
		return
	}
	if f.Test {
		if target, ok := layerOf(to); ok && target.level <= own.level {
			return
		}
		r.add(f, s.pos, "layers", "a test of %s may not import %s, which lies above it; write the test there", from, to)
		return
	}
	r.add(f, s.pos, "layers", "%s may not import %s; imports point down: pass it in as an interface declared in %s, or move the shared part below both", from, to, from)
}
