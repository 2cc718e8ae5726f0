// Package local runs nodes as processes on this machine, for the tools that measure or
// kill them. It asks the caller to Kill what it started.
package local
