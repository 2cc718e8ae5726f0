package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	folder := flag.String("out", ".", "the folder of the Go files to write")
	flag.Parse()
	if err := run(flag.Args(), *folder); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(specifications []string, folder string) error {
	files, err := Generate(specifications)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(folder, f.Name), f.Source, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// File is one generated file.
type File struct {
	Name   string // without a folder
	Source []byte
}

// Generate reads specifications, in order, and returns the Go files that they give.
func Generate(specifications []string) ([]File, error) {
	s := &specification{}
	for _, name := range specifications {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := s.add(text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := s.resolve(); err != nil {
		return nil, err
	}
	var files []File
	for _, g := range []struct {
		name  string
		write func(*source, *specification)
	}{
		{"constants_gen.go", writeConstants},
		{"methods_gen.go", writeMethods},
		{"properties_gen.go", writeProperties},
	} {
		out := &source{}
		g.write(out, s)
		text, err := out.format()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", g.name, err)
		}
		files = append(files, File{g.name, text})
	}
	return files, nil
}
