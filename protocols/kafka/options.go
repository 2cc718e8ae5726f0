package kafka

import (
	"errors"
	"log/slog"

	"github.com/tallymq/tallymq/engine/broker"
)

// Options are what a Server is made of.
type Options struct {
	// Broker answers. Required.
	Broker broker.Broker
	// Logger gets a line per connection that we end, none per request. Nil: nothing is logged.
	Logger *slog.Logger
	// Limits bound what clients can take; zero fields have defaults.
	Limits Limits
}

// Validate says what is missing or does not fit.
func (o Options) Validate() error {
	if o.Broker == nil {
		return errors.New("option Broker is required")
	}
	return o.Limits.withDefaults().Validate()
}
