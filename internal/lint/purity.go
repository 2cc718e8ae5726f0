package lint

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"path"
	"strings"
	"sync"
)

// pure are the packages whose results are functions of their arguments.
var pure = []string{
	"engine/batch", "engine/catalog", "engine/command", "engine/group", "engine/keyspace", "engine/partition", "engine/queue", "engine/routing", "protocols/amqp/channel", "protocols/amqp/connection", "protocols/amqp/wire", "txn/...",
}

// pools may use sync.Pool: what it hands out never shows in a result.
var pools = []string{"engine/batch"}

// impure are imports that no pure package has.
var impure = []struct{ pkg, instead string }{
	{"math/rand", "a value in the command"}, {"math/rand/v2", "a value in the command"}, {"crypto/rand", "a value in the command"},
	{"hash/maphash", "a hash with a fixed seed: it differs between processes"},
	{"os", "an argument"}, {"os/...", "an argument"}, {"net", "an argument, or net/netip"}, {"net/...", "an argument, or net/netip"}, {"syscall", "an argument"},
	{"log", "an error or an effect"}, {"log/slog", "an error or an effect"}, {"runtime", "nothing: state machines do not know it"},
}

const clocks = "Now Since Until Sleep After AfterFunc NewTimer NewTicker Tick"

func checkPurity(r *reporter, m *Module) {
	c := newTypeChecker(m)
	for _, p := range m.Packages {
		if !matchesAny(pure, p.Path) {
			continue
		}
		info := c.check(p)
		for _, f := range p.Files {
			if !f.Test {
				checkPureImports(r, f)
				checkPureSyntax(r, p, f, info)
			}
		}
	}
}

func checkPureImports(r *reporter, f *File) {
	for _, s := range f.imports {
		for _, i := range impure {
			if matches(i.pkg, s.path) && s.path != "net/netip" { // netip is values and their text
				r.add(f, s.pos, "purity", "import of %s in a pure package; use %s", s.path, i.instead)
				break
			}
		}
	}
}

func checkPureSyntax(r *reporter, p *Package, f *File, info *types.Info) {
	sorted := map[ast.Node]bool{} // calls whose result is sorted at once
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			r.add(f, n.Pos(), "purity", "go statement in a pure package; return an effect and let the caller run it")
		case *ast.SelectStmt:
			r.add(f, n.Pos(), "purity", "select in a pure package; its choice is random: return an effect")
		case *ast.SelectorExpr:
			switch pkg := f.called(n.X); {
			case pkg == "time" && listed(clocks, n.Sel.Name):
				r.add(f, n.Pos(), "purity", "time.%s in a pure package; use the replicated time of the command", n.Sel.Name)
			case strings.HasSuffix(pkg, "internal/point") && n.Sel.Name != "New" && n.Sel.Name != "Point":
				r.add(f, n.Pos(), "purity", "point.%s in a pure package; a point only tells, an act would differ between replicas: let the caller act", n.Sel.Name)
			case pkg == "sync" && n.Sel.Name == "Map",
				pkg == "sync" && n.Sel.Name == "Pool" && !matchesAny(pools, p.Path):
				r.add(f, n.Pos(), "purity", "sync.%s in a pure package; a plain map or slice", n.Sel.Name)
			}
		case *ast.CallExpr:
			if isCall(f, n, "slices", "Sorted*") && len(n.Args) > 0 {
				sorted[n.Args[0]] = true
			}
			if isCall(f, n, "maps", "Keys Values All") && !sorted[n] && !f.reasons[r.m.fset.Position(n.Pos()).Line]["sorted"] {
				r.add(f, n.Pos(), "purity", "order of a map; use slices.Sorted(maps.Keys(m)), or say //lint:sorted REASON")
			}
		case *ast.RangeStmt:
			checkRange(r, f, n, info)
		}
		return true
	})
}

func isCall(f *File, x ast.Expr, pkg, names string) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && f.called(sel.X) == pkg && listed(names, sel.Sel.Name)
}

func checkRange(r *reporter, f *File, n *ast.RangeStmt, info *types.Info) {
	if f.reasons[r.m.fset.Position(n.Pos()).Line]["sorted"] || isCall(f, n.X, "maps", "Keys Values All") {
		return
	}
	t := info.TypeOf(n.X)
	if t == nil || t == types.Typ[types.Invalid] {
		r.add(f, n.Pos(), "purity", "range over something whose type is not known here; give it a variable with a type of ours, or say //lint:sorted REASON")
		return
	}
	if isMap(t) {
		r.add(f, n.Pos(), "purity", "range over a map; use slices.Sorted(maps.Keys(m)), or say //lint:sorted REASON if the order cannot show")
	}
}

// isMap sees through names and, for type parameters, through their constraint.
func isMap(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Map:
		return true
	case *types.Interface:
		for e := range u.EmbeddedTypes() {
			if union, ok := e.(*types.Union); ok {
				for term := range union.Terms() {
					if isMap(term.Type()) {
						return true
					}
				}
			}
		}
	}
	return false
}

// standard reads the standard library from source, once: a second for what pure packages use of it. So Check is not
// for concurrent use.
var standard = sync.OnceValue(func() types.Importer { return importer.ForCompiler(token.NewFileSet(), "source", nil) })

// typeChecker finds the types of the module's packages without the go command: the standard library and the module are
// checked from source, anything else is an empty package whose names have no type.
type typeChecker struct {
	m        *Module
	standard types.Importer
	done     map[string]*types.Package
	infos    map[string]*types.Info
}

func newTypeChecker(m *Module) *typeChecker {
	return &typeChecker{
		m: m, standard: standard(),
		done: map[string]*types.Package{}, infos: map[string]*types.Info{},
	}
}

// Import makes the checker its own importer.
func (c *typeChecker) Import(importPath string) (*types.Package, error) {
	if p, ok := c.done[importPath]; ok {
		return p, nil
	}
	if own, ok := ours(importPath); ok {
		for _, p := range c.m.Packages {
			if p.Path == own {
				c.check(p)
				if c.done[importPath] == nil {
					return nil, fmt.Errorf("%s imports itself", importPath)
				}
				return c.done[importPath], nil
			}
		}
	} else if first, _, _ := strings.Cut(importPath, "/"); !strings.Contains(first, ".") {
		p, err := c.standard.Import(importPath)
		if err == nil {
			c.done[importPath] = p
		}
		return p, err
	}
	p := types.NewPackage(importPath, path.Base(importPath))
	p.MarkComplete()
	c.done[importPath] = p
	return p, nil
}

// check type-checks a package without its tests. Errors are ignored: what has no type then is found by its user.
func (c *typeChecker) check(p *Package) *types.Info {
	importPath := ModulePath + "/" + p.Path
	if info, ok := c.infos[importPath]; ok {
		return info
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	c.infos[importPath] = info
	var files []*ast.File
	for _, f := range p.Files {
		if !f.Test {
			files = append(files, f.syntax)
		}
	}
	config := types.Config{Importer: c, Error: func(error) {}}
	checked, err := config.Check(importPath, c.m.fset, files, info)
	if err != nil && checked == nil {
		checked = types.NewPackage(importPath, path.Base(importPath))
	}
	c.done[importPath] = checked
	return info
}
