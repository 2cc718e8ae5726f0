package amqp

import (
	"errors"
	"log/slog"

	"github.com/tallymq/tallymq/engine/broker"
)

// Options are what a Server is made of.
type Options struct {
	// Queues answers. Required.
	Queues broker.Queues
	// Access says who may do what. Nil: Guest.
	Access Access
	// Version is the product's, told to clients.
	Version string
	// Logger gets a line per connection that we end, none per message. Nil: nothing is logged.
	Logger *slog.Logger
	// Limits bound what clients can take; zero fields have defaults.
	Limits Limits
}

// Validate says what is missing or does not fit.
func (o Options) Validate() error {
	if o.Queues == nil {
		return errors.New("option Queues is required")
	}
	return o.Limits.withDefaults().Validate()
}
