package main

import (
	"fmt"
	"strconv"
	"strings"
)

// definition is a parsed commands.def.
type definition struct {
	Types []*typ // in the order of the file
}

// typ is a command, a result or a struct.
type typ struct {
	What    string // "command", "result", "struct"
	Kind    uint8  // not of structs
	Name    string
	Doc     string
	Version int // the greatest "since" of its fields, and of its structs' fields
	Fields  []*field
	users   int // messages that contain this struct
}

// field is one field of a typ.
type field struct {
	Name    string
	Type    string // element type, for a list
	List    bool
	Length  string // of a payload: the field with its length
	Since   int
	Default string // what readers of older bytes get; empty: the zero value
	Doc     string
}

func parse(text string, sample bool) (*definition, error) {
	d := &definition{}
	var doc string
	var cur *typ
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		var err error
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
			doc = ""
			continue
		case strings.HasPrefix(trimmed, "//"):
			doc += strings.TrimSpace(trimmed[2:]) + "\n"
			continue
		case line[0] != ' ':
			cur, err = parseHead(trimmed)
			if err == nil {
				cur.Doc = doc
				d.Types = append(d.Types, cur)
			}
		case cur == nil:
			err = fmt.Errorf("a field outside of a message")
		default:
			var f *field
			if f, err = parseField(trimmed); err == nil {
				cur.Fields = append(cur.Fields, f)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		doc = ""
	}
	return d, d.check(sample)
}

func parseHead(line string) (*typ, error) {
	words := strings.Fields(line)
	switch {
	case len(words) == 2 && words[0] == "struct":
		return &typ{What: "struct", Name: words[1], Version: 1}, nil
	case len(words) == 3 && (words[0] == "command" || words[0] == "result"):
		kind, err := strconv.ParseUint(words[1], 0, 8)
		return &typ{What: words[0], Kind: uint8(kind), Name: words[2], Version: 1}, err
	}
	return nil, fmt.Errorf("want struct NAME, command KIND NAME or result KIND NAME, got %q", line)
}

func parseField(line string) (*field, error) {
	line, doc, _ := strings.Cut(line, "//")
	words := strings.Fields(line)
	if len(words) < 2 {
		return nil, fmt.Errorf("want NAME TYPE, got %q", line)
	}
	f := &field{Name: words[0], Type: words[1], Since: 1, Doc: strings.TrimSpace(doc)}
	if rest, ok := strings.CutPrefix(f.Type, "[]"); ok {
		f.Type, f.List = rest, true
	}
	if rest, ok := strings.CutPrefix(f.Type, "payload("); ok {
		f.Type, f.Length = "payload", strings.TrimSuffix(rest, ")")
	}
	words = words[2:]
	if len(words) >= 2 && words[0] == "since" {
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 || n > 255 {
			return nil, fmt.Errorf("field %s: since %q", f.Name, words[1])
		}
		f.Since, words = n, words[2:]
	}
	if len(words) == 2 && words[0] == "=" {
		f.Default, words = words[1], nil
	}
	if len(words) != 0 {
		return nil, fmt.Errorf("field %s: cannot read %q", f.Name, strings.Join(words, " "))
	}
	return f, nil
}

func (d *definition) find(name string) *typ {
	for _, t := range d.Types {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// check refuses what would generate code that misreads old bytes. In a sample, messages may share a kind.
func (d *definition) check(sample bool) error {
	kinds := map[uint8]string{}
	for _, t := range d.Types {
		if d.find(t.Name) != t {
			return fmt.Errorf("%s is defined twice", t.Name)
		}
		if t.What == "struct" {
			continue
		}
		if other, ok := kinds[t.Kind]; ok && !sample {
			return fmt.Errorf("%s and %s share kind %#x", other, t.Name, t.Kind)
		}
		kinds[t.Kind] = t.Name
		if err := d.visit(t, t, 0); err != nil {
			return err
		}
	}
	for _, t := range d.Types {
		if t.What == "struct" && t.users != 1 {
			for _, f := range t.Fields {
				if f.Since > 1 {
					return fmt.Errorf("struct %s is part of %d messages: field %s cannot be newer than they are", t.Name, t.users, f.Name)
				}
			}
		}
	}
	return nil
}

// visit walks over a message and the structs in it: t is what is walked, top the message it is part of.
func (d *definition) visit(top, t *typ, depth int) error {
	if depth > 4 {
		return fmt.Errorf("%s contains itself, or nests deeper than 4", t.Name)
	}
	since := 1
	for i, f := range t.Fields {
		last := i == len(t.Fields)-1
		switch {
		case f.Type == "payload":
			if !last || t != top || f.List || f.Since != 1 {
				return fmt.Errorf("%s.%s: a payload is the last field of a message, from its first version", t.Name, f.Name)
			}
			continue
		case f.Since < since:
			return fmt.Errorf("%s.%s: since %d after a field since %d", t.Name, f.Name, f.Since, since)
		}
		since = f.Since
		top.Version = max(top.Version, f.Since)
		if _, ok := scalars[f.Type]; ok {
			continue
		}
		s := d.find(f.Type)
		if s == nil || s.What != "struct" {
			return fmt.Errorf("%s.%s: unknown type %q", t.Name, f.Name, f.Type)
		}
		s.users++
		if err := d.visit(top, s, depth+1); err != nil {
			return err
		}
	}
	return nil
}
