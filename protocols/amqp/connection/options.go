package connection

import "github.com/tallymq/tallymq/protocols/amqp/wire"

// Options are what a connection is made with.
type Options struct {
	// Properties are the server's: product, version, capabilities.
	Properties wire.Table
	// Mechanisms are the SASL mechanisms offered, in this order. PLAIN and AMQPLAIN are taken apart here, the response
	// of any other is handed on as it came. None: PLAIN and AMQPLAIN.
	Mechanisms []string
	Limits     Limits
}

func (o Options) withDefaults() Options {
	if len(o.Mechanisms) == 0 {
		o.Mechanisms = []string{mechanismPlain, mechanismAMQPlain}
	}
	o.Limits = o.Limits.withDefaults()
	return o
}
