// Package freeport chooses addresses of this machine for servers that stop and start again: tests and the programs that try
// whole clusters.
//
// It promises: (1) an address lies below the ports that systems give to outgoing connections (32768 on Linux, 49152
// elsewhere), so none of those takes it while its server is down, as happens to a port that the system chose; (2) two
// processes that use this package never get the same address, for each owns a block of ports for as long as it lives: it
// listens on the block's first one; (3) nobody listened at it when it was given. It asks the caller not to want more than
// a block holds at once: addresses are given again after a round.
//
// Read freeport.go.
package freeport
