package broker

// Client says who asks; every request carries it, for authorisation and audit.
type Client struct {
	Principal string // "User:ANONYMOUS" until authentication exists
	Address   string // host:port of the peer
	ID        string // the client id it chose, for logs
	Protocol  string // "kafka", "amqp", "admin"
	// Connection is what Transactions.Accepted gave the connection that the request came over; 0: over none.
	Connection uint64
}

// Anonymous is the principal of a connection that did not authenticate.
const Anonymous = "User:ANONYMOUS"
