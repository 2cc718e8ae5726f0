package bench

import (
	"io"
	"os"

	"github.com/tallymq/tallymq/ops/client"
)

// progress is where progress goes: not where results go.
func progress(g *client.Globals) io.Writer {
	if g.Err != nil {
		return g.Err
	}
	return os.Stderr
}
