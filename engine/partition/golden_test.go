package partition

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

var addGolden = flag.Bool("add-golden", false, "write golden files that are missing; existing ones are never touched")

func hexRow(k, v []byte) string { return fmt.Sprintf("%x = %x\n", k, v) }

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	want, err := os.ReadFile(path)
	if os.IsNotExist(err) && *addGolden {
		want, err = got, os.WriteFile(path, got, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got) {
		t.Errorf("%s: got\n%s", path, got)
	}
}
