// Command gen turns commands.def into the Go source of package command. The syntax is described at the head of that
// file.
//
// It promises: (1) the same definition gives the same source, byte for byte, so that a test can say whether the
// checked-in file is current; (2) a definition under which older bytes could be misread is refused (testdata/refused.txt).
// It asks that fields of a released version are never changed: the golden files of package command would tell. It does
// not know what the commands mean.
//
//	commands.def ─ parse.go ─ check ─ write.go ─ gofmt ─ commands_gen.go
//
// Read parse.go first.
package main
