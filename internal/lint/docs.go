package lint

import (
	"go/ast"
	"go/token"
	"path"
	"strings"
)

func checkDocs(r *reporter, p *Package) {
	var doc, first *File
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		if first == nil {
			first = f
		}
		if path.Base(f.Name) == "doc.go" {
			doc = f
		}
		checkInit(r, f)
	}
	switch {
	case first == nil: // tests only
	case doc == nil:
		r.add(first, first.syntax.Package, "docs", "package %q has no doc.go; write what it is, promises, asks and does not do", p.Path)
	case strings.TrimSpace(doc.syntax.Doc.Text()) == "":
		r.add(doc, doc.syntax.Package, "docs", "no comment is attached to the package clause; remove the blank line between them")
	}
}

// Clocks and chance that must not run before main.
var initBanned = map[string]string{
	"time": "Now Since Until After AfterFunc NewTimer NewTicker Tick Sleep", "math/rand": "*", "math/rand/v2": "*", "crypto/rand": "*",
}

// checkInit refuses what runs at start-up: init functions and, in values of package variables, goroutines, clocks and
// chance. A simulated node would share them with all others.
func checkInit(r *reporter, f *File) {
	for _, d := range f.syntax.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			line := r.m.fset.Position(d.Pos()).Line
			if d.Recv == nil && d.Name.Name == "init" && !f.reasons[line]["init"] && !onlyChecks(f, d.Body) {
				r.add(f, d.Pos(), "docs", "init function; use a constructor, or say //lint:init REASON if it has no effect outside the package")
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR {
				checkInitialValues(r, f, d)
			}
		}
	}
}

// onlyChecks says that a body does nothing but assert relations, as limits.go does between limits.
func onlyChecks(f *File, body *ast.BlockStmt) bool {
	if body == nil || len(body.List) == 0 {
		return false
	}
	for _, s := range body.List {
		x, ok := s.(*ast.ExprStmt)
		if !ok || !isCall(f, x.X, ModulePath+"/internal/invariant", "Check") {
			return false
		}
	}
	return true
}

func checkInitialValues(r *reporter, f *File, d *ast.GenDecl) {
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			r.add(f, n.Pos(), "docs", "goroutine of a package variable; start it in a constructor and end it in Close")
		case *ast.FuncLit:
			// Only declared, unless called on the spot: then it is the Fun of a call, handled below.
			return false
		case *ast.CallExpr:
			if lit, ok := n.Fun.(*ast.FuncLit); ok {
				ast.Inspect(lit.Body, func(n ast.Node) bool {
					if g, ok := n.(*ast.GoStmt); ok {
						r.add(f, g.Pos(), "docs", "goroutine of a package variable; start it in a constructor and end it in Close")
					}
					return true
				})
			}
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && listed(initBanned[f.called(sel.X)], sel.Sel.Name) {
				r.add(f, n.Pos(), "docs", "%s.%s in the value of a package variable; read it in a constructor", f.called(sel.X), sel.Sel.Name)
			}
		}
		return true
	})
}

// listed says that name is one of the words, that a word with * at its end begins it, or that words are "*".
func listed(words, name string) bool {
	for _, w := range strings.Fields(words) {
		prefix, open := strings.CutSuffix(w, "*")
		if w == name || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
