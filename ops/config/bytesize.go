package config

import (
	"fmt"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes, written "64MiB", "1GiB", "512KiB", "10MB" or "1024".
type ByteSize int64

var byteUnits = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

// ParseByteSize reads what String wrote, and the other forms named at ByteSize.
func ParseByteSize(s string) (ByteSize, error) {
	digits, factor := strings.TrimSpace(s), int64(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(digits, u.suffix); ok {
			digits, factor = strings.TrimSpace(rest), u.factor
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > (1<<63-1)/factor {
		return 0, fmt.Errorf("%q is no size in bytes: want a number with KiB, MiB, GiB, kB, MB, GB or nothing behind it", s)
	}
	return ByteSize(n * factor), nil
}

// String gives the shortest exact form.
func (b ByteSize) String() string {
	for _, u := range []struct {
		suffix string
		factor ByteSize
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if b >= u.factor && b%u.factor == 0 {
			return fmt.Sprintf("%d%s", b/u.factor, u.suffix)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// UnmarshalText lets flags, the environment and the file use the same forms.
func (b *ByteSize) UnmarshalText(text []byte) error {
	v, err := ParseByteSize(string(text))
	*b = v
	return err
}

// MarshalText is UnmarshalText's counterpart.
func (b ByteSize) MarshalText() ([]byte, error) { return []byte(b.String()), nil }
