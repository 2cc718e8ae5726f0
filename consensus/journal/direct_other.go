//go:build !linux

package journal

// OSDirect is nil where the system has no durable direct writes: the journal then writes buffered and syncs.
func OSDirect() DirectOpener { return nil }
