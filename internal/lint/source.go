package lint

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"path"
	"sort"
	"strconv"
	"strings"
)

// ModulePath is the module whose packages are judged.
const ModulePath = "github.com/tallymq/tallymq"

// File is one parsed source file.
type File struct {
	Name      string // slash-separated, from the module's root
	Test      bool   // its name ends in _test.go
	Generated bool   // it says "Code generated … DO NOT EDIT."
	Lines     int

	syntax  *ast.File
	imports []spec
	reasons map[int]map[string]bool // line → directives with a reason: "sorted", "init"
}

// spec is one import.
type spec struct {
	name string // as the file calls it; "." and "_" are themselves
	path string
	pos  token.Pos
}

// Package is the files of one folder.
type Package struct {
	Path  string // from the module's root; "" is the root
	Files []*File
}

// Module is all that is judged.
type Module struct {
	fset     *token.FileSet
	Packages []*Package // by path
}

// Finding is one violation.
type Finding struct {
	File string
	Line int
	Rule string // "layers", "owners", …
	What string // what is wrong, and what to do instead
}

// String is "file:line: rule: what".
func (f Finding) String() string { return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Rule, f.What) }

// Parse reads sources: text by slash-separated name from the module's root. Files that no build includes (go:build
// ignore) are left out.
func Parse(sources map[string]string) (*Module, error) {
	m := &Module{fset: token.NewFileSet()}
	byPath := map[string]*Package{}
	names := make([]string, 0, len(sources))
	for name := range sources {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		syntax, err := parser.ParseFile(m.fset, name, sources[name], parser.ParseComments)
		if err != nil {
			return nil, err
		}
		if ignored(syntax) {
			continue
		}
		dir := path.Dir(name)
		if dir == "." {
			dir = ""
		}
		p := byPath[dir]
		if p == nil {
			p = &Package{Path: dir}
			byPath[dir] = p
			m.Packages = append(m.Packages, p)
		}
		p.Files = append(p.Files, newFile(m.fset, name, sources[name], syntax))
	}
	sort.Slice(m.Packages, func(i, j int) bool { return m.Packages[i].Path < m.Packages[j].Path })
	return m, nil
}

func newFile(fset *token.FileSet, name, text string, syntax *ast.File) *File {
	f := &File{
		Name: name, Test: strings.HasSuffix(name, "_test.go"), Generated: ast.IsGenerated(syntax),
		Lines: strings.Count(text, "\n"), syntax: syntax, reasons: map[int]map[string]bool{},
	}
	for _, s := range syntax.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue // the parser accepted it, so it is a string
		}
		local := defaultName(p)
		if s.Name != nil {
			local = s.Name.Name
		}
		f.imports = append(f.imports, spec{name: local, path: p, pos: s.Pos()})
	}
	for _, group := range syntax.Comments {
		for _, c := range group.List {
			directive, reason, _ := strings.Cut(strings.TrimPrefix(c.Text, "//lint:"), " ")
			if !strings.HasPrefix(c.Text, "//lint:") || strings.TrimSpace(reason) == "" {
				continue
			}
			line := fset.Position(c.Pos()).Line
			for _, l := range []int{line, line + 1} {
				if f.reasons[l] == nil {
					f.reasons[l] = map[string]bool{}
				}
				f.reasons[l][directive] = true
			}
		}
	}
	return f
}

// defaultName is the name of an imported package that is given none: the last element that is not a version.
func defaultName(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		base = path.Base(path.Dir(p))
	}
	return base
}

// called is the import path of the package that x names in f, "" if x is no package of f.
func (f *File) called(x ast.Expr) string {
	id, ok := x.(*ast.Ident)
	if !ok || id.Obj != nil { // an object of the file shadows the import
		return ""
	}
	for _, s := range f.imports {
		if s.name == id.Name {
			return s.path
		}
	}
	return ""
}

// ignored says that a file is kept out of every build: a generator, say.
func ignored(syntax *ast.File) bool {
	for _, group := range syntax.Comments {
		if group.Pos() > syntax.Package {
			return false
		}
		for _, c := range group.List {
			if !constraint.IsGoBuild(c.Text) {
				continue
			}
			expr, err := constraint.Parse(c.Text)
			if err == nil && !expr.Eval(func(tag string) bool { return tag != "ignore" }) {
				return true
			}
		}
	}
	return false
}

// reporter collects findings.
type reporter struct {
	m        *Module
	findings []Finding
}

func (r *reporter) add(f *File, pos token.Pos, rule, format string, args ...any) {
	r.findings = append(r.findings, Finding{File: f.Name, Line: r.m.fset.Position(pos).Line, Rule: rule, What: fmt.Sprintf(format, args...)})
}

// Check applies every rule and returns the findings by file and line.
func Check(m *Module) []Finding {
	r := &reporter{m: m}
	for _, p := range m.Packages {
		checkLayers(r, p)
		checkOwners(r, p)
		checkDocs(r, p)
		checkEffects(r, p)
		checkSize(r, p)
	}
	checkPurity(r, m)
	sort.SliceStable(r.findings, func(i, j int) bool {
		a, b := r.findings[i], r.findings[j]
		return a.File < b.File || a.File == b.File && a.Line < b.Line
	})
	return r.findings
}

// matches says that a path is the pattern, or, with "/..." at its end, lies under it.
func matches(pattern, p string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return p == root || strings.HasPrefix(p, root+"/")
	}
	return p == pattern
}

func matchesAny(patterns []string, p string) bool {
	for _, pattern := range patterns {
		if matches(pattern, p) {
			return true
		}
	}
	return false
}
