package journal

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

type osDirect struct{}

// OSDirect opens real files with O_DIRECT and O_DSYNC. File systems without O_DIRECT answer errors.ErrUnsupported.
func OSDirect() DirectOpener { return osDirect{} }

func (osDirect) OpenDirect(path string) (DirectFile, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_DIRECT|unix.O_DSYNC|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		return nil, fmt.Errorf("open %s past the page cache: %w (%w)", path, errors.ErrUnsupported, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s past the page cache: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}
