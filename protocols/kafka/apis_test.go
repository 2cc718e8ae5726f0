package kafka

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// docs/CLIENTS.md lists the requests that are served, all of them and no other.
func TestRequestsAreListed(t *testing.T) {
	text, err := os.ReadFile("../../docs/CLIENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## Requests\n")
	var listed []string
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) == 6 && strings.TrimSpace(cells[1]) != "key" && !strings.HasPrefix(cells[1], "---") {
			listed = append(listed, strings.Join(strings.Fields(cells[1]+cells[2]+cells[3]), " "))
		}
	}
	var served []string
	for _, a := range slices.SortedFunc(maps.Values(newAPIs(nil)), func(a, b *api) int { return cmp.Compare(a.key, b.key) }) {
		served = append(served, fmt.Sprintf("%d %s %d-%d", a.key, a.name, a.min, a.max))
	}
	if !slices.Equal(listed, served) {
		t.Errorf("docs/CLIENTS.md lists\n%s\nserved are\n%s", strings.Join(listed, "\n"), strings.Join(served, "\n"))
	}
}
