package connection

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// Mechanisms that are taken apart here.
const (
	mechanismPlain    = "PLAIN"    // RFC 4616
	mechanismAMQPlain = "AMQPLAIN" // the specification's own: a table with LOGIN and PASSWORD
)

// Credentials are what a client says about itself.
type Credentials struct {
	Mechanism string
	// User and Secret are set for PLAIN and AMQPLAIN.
	User   string
	Secret []byte
	// Response is what any other mechanism has, as it came.
	Response []byte
}

// String does not show secrets.
func (c Credentials) String() string {
	return fmt.Sprintf("mechanism=%s user=%q secret=(%d bytes) response=(%d bytes)", c.Mechanism, c.User, len(c.Secret), len(c.Response))
}

// credentials takes a response apart. Only offered mechanisms are known.
func credentials(offered []string, m *wire.ConnectionStartOk) (Credentials, *wire.Error) {
	c := Credentials{Mechanism: m.Mechanism}
	switch {
	case !slices.Contains(offered, m.Mechanism):
		return c, wire.Errorf(wire.CommandInvalid, m.ID(), "unknown authentication mechanism '%s'", m.Mechanism)
	case m.Mechanism == mechanismPlain:
		return c, c.plain(m)
	case m.Mechanism == mechanismAMQPlain:
		return c, c.amqplain(m)
	}
	c.Response = m.Response
	return c, nil
}

// plain reads NUL user NUL password. Nobody may act for somebody else, so nothing comes before the first NUL.
func (c *Credentials) plain(m *wire.ConnectionStartOk) *wire.Error {
	rest, ok := bytes.CutPrefix(m.Response, []byte{0})
	user, secret, both := bytes.Cut(rest, []byte{0})
	if !ok || !both {
		return wire.Errorf(wire.SyntaxError, m.ID(), "the response is not that of PLAIN")
	}
	c.User, c.Secret = string(user), secret
	return nil
}

func (c *Credentials) amqplain(m *wire.ConnectionStartOk) *wire.Error {
	table, err := wire.DecodeTable(m.Response)
	if err != nil {
		return wire.Errorf(wire.SyntaxError, m.ID(), "the response is not that of AMQPLAIN: %v", err)
	}
	user, named := table.Lookup("LOGIN").Text()
	secret, known := table.Lookup("PASSWORD").Text()
	if !named || !known {
		return wire.Errorf(wire.SyntaxError, m.ID(), "the response misses LOGIN or PASSWORD")
	}
	c.User, c.Secret = string(user), secret
	return nil
}
