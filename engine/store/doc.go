// Package store keeps the rows of all replicas of one node in one pebble database without a write-ahead log.
package store
