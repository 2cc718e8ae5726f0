// Command gen turns the published machine-readable specification of AMQP 0-9-1 and a file of RabbitMQ's additions into
// the Go source of package wire: constants, methods and the properties of the basic class.
//
// It promises: (1) the same specifications give the same source, byte for byte, so that a test can say whether the
// checked-in files are current; (2) what it does not understand it refuses (an unknown domain, a number used twice, a
// second class with properties). It asks that specifications are given in order: a class of a later one adds to the
// class of that name in an earlier one. It ignores the assertions on fields (lengths of names, patterns): RabbitMQ does
// not enforce them, and its clients rely on that.
//
//	spec/*.xml ─ parse.go ─ check ─ constants.go, methods.go, properties.go ─ gofmt ─ ../*_gen.go
//
// Read parse.go first.
package main
