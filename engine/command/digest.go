package command

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Digest is a rolling hash over commands and their results: replicas that applied the same commands and answered the
// same have the same digest. It finds bugs, not forgers; its definition never changes, since replicas of different
// program versions compare theirs.
type Digest uint64

// The odd constants are the golden ratio's and π's first 64 bits.
const (
	digestMultiplier = 0x9E3779B97F4A7C15
	digestSeed       = 0x243F6A8885A308D3
)

// Add folds in a command (without its payload, whose CRC the command carries) and its result.
func (d Digest) Add(command, result []byte) Digest { return d.fold(command).fold(result) }

// fold takes eight bytes at a time, little-endian, the last ones padded with zeroes, then the length.
func (d Digest) fold(b []byte) Digest {
	n := len(b)
	for ; len(b) >= 8; b = b[8:] {
		d = d.mix(binary.LittleEndian.Uint64(b))
	}
	var tail [8]byte
	copy(tail[:], b)
	return d.mix(binary.LittleEndian.Uint64(tail[:])).mix(uint64(n))
}

// mix multiplies to 128 bits and folds the halves together, so that every bit of d and v reaches every bit.
func (d Digest) mix(v uint64) Digest {
	hi, lo := bits.Mul64(uint64(d)^v^digestSeed, digestMultiplier)
	return Digest((hi ^ lo) + bits.RotateLeft64(uint64(d), 23))
}

// String is 16 hexadecimal digits.
func (d Digest) String() string { return fmt.Sprintf("%016x", uint64(d)) }
