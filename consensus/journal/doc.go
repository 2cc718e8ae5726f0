// Package journal is a node's one log store: all of its Raft logs and all of its payload bytes.
package journal
