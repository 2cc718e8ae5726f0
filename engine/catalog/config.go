package catalog

import "github.com/tallymq/tallymq/engine/broker"

// ConfigKey describes one topic configuration key.
type ConfigKey struct {
	Key      string
	Type     broker.ConfigType
	Default  string
	ReadOnly bool
	NoEffect bool // accepted, for the sake of Kafka's clients; changes nothing here
	Doc      string
	check    func(value string) error
}
