// Command gen turns commands.def into Go source. The syntax is described at the head of that file.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	def := flag.String("def", "commands.def", "the definition")
	out := flag.String("out", "commands_gen.go", "the Go file to write")
	flag.Parse()
	if err := run(*def, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(def, out string) error {
	text, err := os.ReadFile(def)
	if err != nil {
		return err
	}
	source, err := Generate(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", def, err)
	}
	return os.WriteFile(out, source, 0o644)
}
