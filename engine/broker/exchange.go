package broker

// ArgumentKind is what sort of value an argument or header has.
type ArgumentKind uint8

// The kinds.
const (
	ArgumentVoid   ArgumentKind = iota // there, without a value
	ArgumentBool                       // Int is 0 or 1
	ArgumentInt                        // any integer, and timestamps
	ArgumentFloat                      // both sizes
	ArgumentText                       // texts and byte arrays
	ArgumentOpaque                     // tables, arrays, decimals: equal if Text, their type and bytes, is
)

// ArgumentValue is the value of an argument or header.
type ArgumentValue struct {
	Kind  ArgumentKind
	Int   int64
	Float float64
	Text  string
}

// Argument is a name with a value: of an exchange, queue, binding or consumer, or a header of a message.
type Argument struct {
	Name  string
	Value ArgumentValue
}

// Exchange is an exchange as a client declares it (AMQP 0-9-1, exchange.declare).
type Exchange struct {
	Name       string
	Type       string // "direct", "fanout", "topic", "headers", "x-consistent-hash", "x-modulus-hash"
	Durable    bool
	AutoDelete bool // it goes with its last binding, if it ever had one
	Internal   bool // clients do not publish to it
	Arguments  []Argument
}

// Binding leads from an exchange to a queue or to another exchange. All of its fields make it the binding it is.
type Binding struct {
	Source      string
	Exchange    bool // Destination is an exchange, else a queue
	Destination string
	Key         string
	Arguments   []Argument
}
