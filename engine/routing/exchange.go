package routing

import (
	"strings"
)

// Type is the type of an exchange, by its name on the wire.
type Type string

// Types of exchanges.
const (
	Direct         Type = "direct"            // the binding key is the routing key
	Fanout         Type = "fanout"            // every binding
	Topic          Type = "topic"             // the binding key is a pattern of words: * one, # any number
	Headers        Type = "headers"           // the binding's arguments are headers of the message
	ConsistentHash Type = "x-consistent-hash" // one destination, chosen by a hash; the binding key is its weight
	ModulusHash    Type = "x-modulus-hash"    // one destination, chosen by a hash
)

// Exchange is what a client declares.
type Exchange struct {
	Name       string
	Type       Type
	Durable    bool
	AutoDelete bool // it goes with its last binding, if it ever had one
	Internal   bool // clients do not publish to it
	Arguments  []Argument
}

// Names of arguments that mean something here.
const (
	argumentAlternate    = "alternate-exchange"
	argumentHashHeader   = "hash-header"
	argumentHashProperty = "hash-property"
)

// reservedPrefix begins names that no client declares.
const reservedPrefix = "amq."

// predeclared are there from the start, and cannot be deleted.
func predeclared() []Exchange {
	return []Exchange{
		{Name: "", Type: Direct, Durable: true},
		{Name: "amq.direct", Type: Direct, Durable: true},
		{Name: "amq.fanout", Type: Fanout, Durable: true},
		{Name: "amq.topic", Type: Topic, Durable: true},
		{Name: "amq.headers", Type: Headers, Durable: true},
		{Name: "amq.match", Type: Headers, Durable: true},
		{Name: kafkaExchange, Type: Kafka, Durable: true},
	}
}

// validate refuses what cannot be declared anew.
func (x *Exchange) validate() error {
	switch {
	case x.Name == "":
		return refuse(Forbidden, "operation not permitted on the default exchange")
	case strings.HasPrefix(x.Name, reservedPrefix):
		return refuse(Forbidden, "exchange name '%s' contains reserved prefix 'amq.*'", x.Name)
	case len(x.Name) > nameBytesMax:
		return refuse(InvalidArgument, "exchange name of %d bytes", len(x.Name))
	case newMatcher(x) == nil:
		return refuse(UnknownType, "unknown exchange type '%s'", x.Type)
	}
	if v, ok := find(x.Arguments, argumentAlternate); ok && v.Kind != Text {
		return refuse(InvalidArgument, "invalid arg '%s' for exchange '%s': not a text", argumentAlternate, x.Name)
	}
	switch x.Type {
	case ConsistentHash:
		return x.validateHash()
	case Kafka:
		return x.validateTopic()
	}
	return nil
}

func (x *Exchange) validateHash() error {
	header, byHeader := find(x.Arguments, argumentHashHeader)
	property, byProperty := find(x.Arguments, argumentHashProperty)
	switch {
	case byHeader && byProperty:
		return refuse(InvalidArgument, "hash-header and hash-property are mutually exclusive")
	case byHeader && header.Kind != Text:
		return refuse(InvalidArgument, "hash-header is not a text")
	case byProperty && (property.Kind != Text || !hashProperty(property.Text)):
		return refuse(InvalidArgument, "Unsupported property: %v", property)
	}
	return nil
}

// equivalent refuses a declaration that is not that of the exchange that is there. Of the arguments only those count that
// mean something here: RabbitMQ ignores others, too.
func (x *Exchange) equivalent(other *Exchange) error {
	differ := func(what string, is, want any) error {
		return refuse(Inequivalent, "inequivalent arg '%s' for exchange '%s': received '%v' but current is '%v'", what, x.Name, want, is)
	}
	switch {
	case x.Type != other.Type:
		return differ("type", x.Type, other.Type)
	case x.Durable != other.Durable:
		return differ("durable", x.Durable, other.Durable)
	case x.AutoDelete != other.AutoDelete:
		return differ("auto_delete", x.AutoDelete, other.AutoDelete)
	case x.Internal != other.Internal:
		return differ("internal", x.Internal, other.Internal)
	}
	for _, name := range []string{argumentAlternate, argumentHashHeader, argumentHashProperty, argumentTopic} {
		is, isThere := find(x.Arguments, name)
		want, wanted := find(other.Arguments, name)
		if isThere != wanted || is != want {
			return differ(name, is, want)
		}
	}
	return nil
}
