package timeline

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

//go:embed page.html
var template string

// dataMark stands in the template where the page's data goes.
const dataMark = "/*DATA*/null"

// Write writes the page as one HTML file.
func (p *Page) Write(out io.Writer) error {
	data, err := json.Marshal(p) // escapes <, > and &, so that no text ends the script
	if err != nil {
		return fmt.Errorf("timeline: %w", err)
	}
	before, after, ok := strings.Cut(template, dataMark)
	if !ok {
		return fmt.Errorf("timeline: the template has no place for data")
	}
	for _, part := range []string{before, string(data), after} {
		if _, err := io.WriteString(out, part); err != nil {
			return fmt.Errorf("timeline: %w", err)
		}
	}
	return nil
}
