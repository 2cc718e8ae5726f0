// Command overlaypath writes the build overlay of the simulator for the
// toolchain in use and prints its path, for use inside this repository:
//
//	go test -overlay=$(go run ./simtest/internal/overlaypath) ./simtest/...
package main
