package kafka

import (
	"time"

	"github.com/tallymq/tallymq/internal/point"
)

// Where the simulator may have this package do what may happen anyway (internal/point, Act).
var (
	actResponseLate     = point.NewAct("kafka/response-late")     // a response leaves late
	actConnectionClosed = point.NewAct("kafka/connection-closed") // the connection breaks when responses are due: the client cannot tell what happened
)

// actWaitMax is the longest that an act holds a response back.
const actWaitMax = 200 * time.Millisecond

// actFromCorrelation is the first response that may be lost: clients number their requests, and take a connection that
// breaks before it answered anything for one that wants TLS or SASL, which they do not try again.
const actFromCorrelation = 5
