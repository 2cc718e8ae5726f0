// Package command is what the replicated machines are told and what they answer, as Go structs and as bytes.
//
// The definition is commands.def; package command/gen turns it into commands_gen.go. It promises: (1) Decode accepts
// exactly what AppendTo of some version can have written, so that equal commands have equal bytes; (2) it never
// panics, reads past its input or allocates more than a small multiple of the input's length; (3) bytes of every
// version that was ever released decode for ever, fields they lack having their default; (4) encoding and decoding an
// Append or an AppendResult allocates nothing.
//
// It asks the caller: (a) not change what was decoded from while a decoded struct lives: fields of type []byte point
// into it; (b) fill PayloadLength with the length of the payload.
//
// It does not judge values: a partition −5 decodes. The machines refuse it.
//
//	Append:  kind | version | fields ............ PayloadLength | payload
//	         └──────────── AppendHead ────────────────────────┘   handed on without a copy
//
// Read commands.def first.
package command

//go:generate go run ./gen -def commands.def -out commands_gen.go
//go:generate go run ./gen -sample -def testdata/sample.def -out sample_gen_test.go
