package main

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
)

// specification is what the files say, merged.
type specification struct {
	Constants []*constant `xml:"constant"`
	Domains   []domain    `xml:"domain"`
	Classes   []*class    `xml:"class"`
}

type constant struct {
	Name  string `xml:"name,attr"`
	Value int    `xml:"value,attr"`
	Class string `xml:"class,attr"` // "soft-error" ends a channel, "hard-error" the connection
}

type domain struct {
	Name string `xml:"name,attr"`
	Type string `xml:"type,attr"`
}

type class struct {
	Name    string    `xml:"name,attr"`
	Index   int       `xml:"index,attr"`
	Fields  []*field  `xml:"field"` // the content properties
	Methods []*method `xml:"method"`
}

type method struct {
	Name        string     `xml:"name,attr"`
	Index       int        `xml:"index,attr"`
	Synchronous bool       `xml:"synchronous,attr"`
	Content     bool       `xml:"content,attr"`
	Receivers   []receiver `xml:"chassis"`
	Responses   []response `xml:"response"`
	Fields      []*field   `xml:"field"`

	class *class
}

// receiver is who implements a method: who receives it.
type receiver struct {
	Name string `xml:"name,attr"` // "server" or "client"
}

type response struct {
	Name string `xml:"name,attr"`
}

type field struct {
	Name     string `xml:"name,attr"`
	Domain   string `xml:"domain,attr"`
	Type     string `xml:"type,attr"`
	Reserved bool   `xml:"reserved,attr"`
}

// add merges a file: what it adds to a class is appended to it.
func (s *specification) add(text []byte) error {
	var more specification
	if err := xml.Unmarshal(text, &more); err != nil {
		return err
	}
	s.Constants = append(s.Constants, more.Constants...)
	s.Domains = append(s.Domains, more.Domains...)
	for _, c := range more.Classes {
		old := s.class(c.Name)
		if old == nil {
			s.Classes = append(s.Classes, c)
			continue
		}
		if old.Index != c.Index {
			return fmt.Errorf("class %s has numbers %d and %d", c.Name, old.Index, c.Index)
		}
		old.Methods = append(old.Methods, c.Methods...)
		old.Fields = append(old.Fields, c.Fields...)
	}
	return nil
}

func (s *specification) class(name string) *class {
	for _, c := range s.Classes {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// resolve sorts by number, gives every field its type, and refuses what the writers do not understand.
func (s *specification) resolve() error {
	slices.SortStableFunc(s.Constants, func(a, b *constant) int { return cmp.Compare(a.Value, b.Value) })
	slices.SortStableFunc(s.Classes, func(a, b *class) int { return cmp.Compare(a.Index, b.Index) })
	for i, c := range s.Constants {
		if i > 0 && s.Constants[i-1].Value == c.Value {
			return fmt.Errorf("constants %s and %s have the value %d", s.Constants[i-1].Name, c.Name, c.Value)
		}
	}
	for i, c := range s.Classes {
		if i > 0 && s.Classes[i-1].Index == c.Index {
			return fmt.Errorf("classes %s and %s have the number %d", s.Classes[i-1].Name, c.Name, c.Index)
		}
		if len(c.Fields) > 0 && c.Name != "basic" {
			return fmt.Errorf("class %s has properties; only basic may", c.Name)
		}
		if err := s.resolveClass(c); err != nil {
			return fmt.Errorf("class %s: %w", c.Name, err)
		}
	}
	return nil
}

func (s *specification) resolveClass(c *class) error {
	slices.SortStableFunc(c.Methods, func(a, b *method) int { return cmp.Compare(a.Index, b.Index) })
	if err := s.resolveFields(c.Fields); err != nil {
		return err
	}
	if len(c.Fields) > 14 {
		return fmt.Errorf("%d properties do not fit one word of flags", len(c.Fields))
	}
	for i, m := range c.Methods {
		m.class = c
		if i > 0 && c.Methods[i-1].Index == m.Index {
			return fmt.Errorf("methods %s and %s have the number %d", c.Methods[i-1].Name, m.Name, m.Index)
		}
		if err := s.resolveFields(m.Fields); err != nil {
			return fmt.Errorf("method %s: %w", m.Name, err)
		}
		if len(m.Receivers) == 0 {
			return fmt.Errorf("method %s: nobody receives it", m.Name)
		}
	}
	return nil
}

func (s *specification) resolveFields(fields []*field) error {
	for _, f := range fields {
		if f.Type == "" {
			for _, d := range s.Domains {
				if d.Name == f.Domain {
					f.Type = d.Type
				}
			}
		}
		if _, ok := goTypes[f.Type]; !ok {
			return fmt.Errorf("field %s: unknown type %q (domain %q)", f.Name, f.Type, f.Domain)
		}
	}
	return nil
}

// receivedBy says whether the server, or the client, receives a method.
func (m *method) receivedBy(who string) bool {
	return slices.ContainsFunc(m.Receivers, func(r receiver) bool { return r.Name == who })
}
