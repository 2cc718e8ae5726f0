package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	def := flag.String("def", "commands.def", "the definition")
	out := flag.String("out", "commands_gen.go", "the Go file to write")
	sample := flag.Bool("sample", false, "only messages, without the tables of kinds: for tests of the generator")
	flag.Parse()
	if err := run(*def, *out, *sample); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(def, out string, sample bool) error {
	text, err := os.ReadFile(def)
	if err != nil {
		return err
	}
	source, err := Generate(string(text), sample)
	if err != nil {
		return fmt.Errorf("%s: %w", def, err)
	}
	return os.WriteFile(out, source, 0o644)
}
