package amqp

import (
	"math"

	"github.com/tallymq/tallymq/engine/broker"
	"github.com/tallymq/tallymq/protocols/amqp/wire"
)

// arguments are a table as the engine sees it. They do not point into it.
func arguments(t wire.Table) []broker.Argument {
	var list []broker.Argument
	for name, v := range t.All() {
		list = append(list, broker.Argument{Name: string(name), Value: argumentValue(v)})
	}
	return list
}

func argumentValue(v wire.Value) broker.ArgumentValue {
	if b, ok := v.Bool(); ok {
		value := broker.ArgumentValue{Kind: broker.ArgumentBool}
		if b {
			value.Int = 1
		}
		return value
	}
	if n, ok := v.Int(); ok {
		return broker.ArgumentValue{Kind: broker.ArgumentInt, Int: n}
	}
	if seconds, ok := v.Timestamp(); ok {
		return broker.ArgumentValue{Kind: broker.ArgumentInt, Int: int64(min(seconds, math.MaxInt64))}
	}
	if f, ok := v.Float(); ok {
		return broker.ArgumentValue{Kind: broker.ArgumentFloat, Float: f}
	}
	if text, ok := v.Text(); ok {
		return broker.ArgumentValue{Kind: broker.ArgumentText, Text: string(text)}
	}
	if bytes, ok := v.Bytes(); ok {
		return broker.ArgumentValue{Kind: broker.ArgumentText, Text: string(bytes)}
	}
	if v.Kind == wire.KindVoid {
		return broker.ArgumentValue{Kind: broker.ArgumentVoid}
	}
	// Tables, arrays and decimals: their kind and bytes.
	return broker.ArgumentValue{Kind: broker.ArgumentOpaque, Text: string(wire.Array(nil).Append(v))}
}
