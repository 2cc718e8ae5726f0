// Command plant runs the planted bugs of package mutants and prints a table: how many
// seeds each took until a world's checker found it.
//
// It promises to end with 1 when a bug was not found, when a patch does not fit, or
// when the same seeds fail on unmutated code. It asks to be run inside the source tree:
//
//	go run ./simtest/mutants/plant [-run REGEXP] [-seeds N] [-first N] [-list] [-table FILE]
//
// It does not decide what is planted. Read package mutants next.
package main
