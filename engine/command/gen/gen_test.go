package main

import (
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The checked-in files are what the generator writes from the checked-in definitions.
func TestCheckedInFilesAreGenerated(t *testing.T) {
	for _, c := range []struct {
		def, out string
		sample   bool
	}{
		{"../commands.def", "../commands_gen.go", false},
		{"../testdata/sample.def", "../sample_gen_test.go", true},
	} {
		def, err := os.ReadFile(c.def)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Generate(string(def), c.sample)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(c.out)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what %s generates: run go generate ./engine/command", c.out, c.def)
		}
	}
}

func TestRefusedDefinitions(t *testing.T) {
	datadriven.RunTest(t, "testdata/refused.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "generate" {
			d.Fatalf(t, "unknown verb %q", d.Cmd)
		}
		// A leading dot stands for indentation, which datadriven would trim.
		_, err := Generate(strings.ReplaceAll(d.Input, "\n.", "\n "), false)
		if err != nil {
			return err.Error() + "\n"
		}
		return "ok\n"
	})
}
