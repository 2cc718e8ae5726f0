package lint

import "go/ast"

// banned are effects on the world outside: only ops may have them, so that the simulator can stand in.
var banned = []struct {
	pkg, names string
	instead    string
}{
	{"os", "Open* Create* ReadFile WriteFile ReadDir Mkdir* Remove* Rename Link Symlink Truncate Chtimes DirFS", "the vfs.FS that was handed in"},
	{"os", "Exit", "an error to the caller"},
	{"os", "Getenv LookupEnv Environ Setenv", "an option that ops/config fills"},
	{"net", "Listen ListenConfig ListenIP ListenMulticastUDP ListenPacket ListenTCP ListenUDP ListenUnix ListenUnixgram FileListener FileConn FilePacketConn Dial*", "the listener or dialer that was handed in"},
	{"log", "Fatal* Panic*", "an error to the caller"},
	{"github.com/cockroachdb/pebble/v2/vfs", "Default", "the vfs.FS that was handed in"},
	{"github.com/lni/vfs", "Default", "the vfs.FS that was handed in"},
}

// seams are the files outside ops that do have effects, each with its reason: those of a folder whose names end so.
var seams = []struct{ folder, suffix, reason string }{
	{"consensus/journal", "_linux.go", "O_DIRECT and preallocation do not exist in vfs.FS; handed in by ops as a DirectOpener"},
	{"internal/freeport", "/freeport.go", "finds ports for tests and for programs that start whole clusters; no broker uses it"},
	{"engine/command/gen", ".go", "the generator of the commands, run by go generate"},
	{"protocols/amqp/wire/gen", ".go", "the generator of AMQP's methods, run by go generate"},
	{"simtest", "/run.go", "runs a seed for a *testing.T and writes the trace it was asked for, outside the simulated world"},
	{"simtest", "/environment.go", "reads and writes the files that whoever starts a world names, outside the simulated world"},
	{"simtest", "/litter.go", "reads whether a run is to be unlike another one where it must not count"},
	{"simtest/result", ".go", "is the file in which a world's process says what it came to"},
	{"simtest/runner", ".go", "starts the processes of worlds, and keeps their files"},
	{"simtest/tallysim", "/environment.go", "reads which seeds a user's test is to run, outside the simulated world"},
	{"simtest/tallysim", "/child.go", "starts the processes of worlds for a *testing.T"},
	{"simtest/overlay", ".go", "writes the build overlay before anything is simulated"},
	{"simtest/mutants", ".go", "patches copies of the sources, builds and runs worlds' processes, outside the simulated world"},
	{"simtest/mutants/plant", ".go", "the command that does so"},
	{"simtest/internal/overlaypath", ".go", "prints where the build overlay is, for the go command"},
}

func checkEffects(r *reporter, p *Package) {
	if matches("ops/...", p.Path) {
		return
	}
	for _, f := range p.Files {
		if !f.Test && !seam(p.Path, f) {
			checkFileEffects(r, f)
		}
	}
}

func seam(folder string, f *File) bool {
	for _, s := range seams {
		if s.folder == folder && len(f.Name) > len(s.suffix) && f.Name[len(f.Name)-len(s.suffix):] == s.suffix {
			return true
		}
	}
	return false
}

func checkFileEffects(r *reporter, f *File) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg := f.called(sel.X)
		for _, b := range banned {
			if pkg == b.pkg && listed(b.names, sel.Sel.Name) {
				r.add(f, sel.Pos(), "effects", "%s.%s outside ops; use %s", defaultName(pkg), sel.Sel.Name, b.instead)
			}
		}
		return true
	})
	for _, s := range f.imports {
		if s.name == "." && !f.Test {
			r.add(f, s.pos, "effects", "dot import hides whose names these are; name the package")
		}
	}
}
