package amqp

import (
	"errors"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// replyCode is the reply code of a refusal. Codes that only other front ends can meet are INTERNAL_ERROR: so is an unknown outcome,
// which ends the connection, because nothing that a client may take for a refusal would be true.
func replyCode(c broker.Code) wire.ReplyCode {
	switch c {
	case broker.CodeInvalidRequest, broker.CodeInequivalent, broker.CodeInUse, broker.CodeQueueNotEmpty, broker.CodeInvalidArgument,
		broker.CodeQueueRefused, broker.CodeUnknownDelivery, broker.CodeBatchTooLarge, broker.CodeTransactionTooLarge, broker.CodePolicyViolation,
		broker.CodeInvalidRecord, broker.CodeInvalidConfig, broker.CodeUnknownConsumer, broker.CodeConsumerTimeout:
		return wire.PreconditionFailed
	case broker.CodeUnauthorized, broker.CodeForbidden, broker.CodeConsumerExclusive:
		return wire.AccessRefused
	case broker.CodeUnknownExchange, broker.CodeUnknownQueue, broker.CodeUnknownTopic, broker.CodeUnknownTopicID:
		return wire.NotFound
	case broker.CodeUnknownHost:
		return wire.NotAllowed
	case broker.CodeUnknownExchangeType:
		return wire.CommandInvalid
	case broker.CodeQueueLocked:
		return wire.ResourceLocked
	case broker.CodeUnsupported, broker.CodeUnsupportedCompression, broker.CodeUnsupportedFormat, broker.CodeTransactionsUnsupported:
		return wire.NotImplemented
	case broker.CodeTooMany, broker.CodeStorageFull, broker.CodeThrottled:
		return wire.ResourceError
	case broker.CodeShuttingDown, broker.CodeSessionLost:
		return wire.ConnectionForced
	}
	return wire.InternalError
}

// refusal is an error of the engine as the protocol tells it.
func refusal(err error, method wire.MethodID) *wire.Error {
	var e *broker.Error
	if !errors.As(err, &e) {
		return wire.Errorf(wire.InternalError, method, "%v", err)
	}
	text := e.Error()
	if e.Err != nil {
		text = e.Err.Error()
	}
	return wire.Errorf(replyCode(e.Code), method, "%s", text)
}
