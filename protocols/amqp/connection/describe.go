package connection

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// String is the connection in one line.
func (c *Connection) String() string {
	return fmt.Sprintf("%v: channels %d, frame-max %d, heartbeat %v, partial bytes %d", c.state, len(c.channels), c.frameMax, c.heartbeat, c.partial)
}

// Describe is the connection and each of its channels, in lines.
func (c *Connection) Describe() string {
	var b strings.Builder
	fmt.Fprintln(&b, c)
	for _, number := range slices.Sorted(maps.Keys(c.channels)) {
		ch := c.channels[number]
		fmt.Fprintf(&b, "  channel %d %v", number, ch.state)
		switch ch.content.phase {
		case contentHeader:
			fmt.Fprintf(&b, ", awaits the header of %v", &ch.content.publish)
		case contentBody:
			fmt.Fprintf(&b, ", has %d of %d bytes of %v", len(ch.content.body), ch.content.header.BodyBytes, &ch.content.publish)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
