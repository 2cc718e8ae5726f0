package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The checked-in files are what the generator writes from the checked-in specifications.
func TestCheckedInFilesAreGenerated(t *testing.T) {
	files, err := Generate([]string{"../spec/amqp0-9-1.stripped.extended.xml", "../spec/rabbitmq.xml"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join("..", f.Name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(f.Source) {
			t.Errorf("%s is not what the specifications give: run go generate ./protocols/amqp/wire", f.Name)
		}
	}
}

func TestRefusedSpecifications(t *testing.T) {
	datadriven.RunTest(t, "testdata/refused.txt", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd != "resolve" {
			d.Fatalf(t, "unknown verb %q", d.Cmd)
		}
		s := &specification{}
		for _, text := range strings.Split(d.Input, "\nthen\n") {
			if err := s.add([]byte("<amqp>" + text + "</amqp>")); err != nil {
				return err.Error() + "\n"
			}
		}
		if err := s.resolve(); err != nil {
			return err.Error() + "\n"
		}
		return "ok\n"
	})
}
