package supervisor

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Size is a number of bytes.
type Size int64

// sizeUnits are those of String, the largest first.
var sizeUnits = []struct {
	name  string
	bytes Size
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// String writes it as the file does, in the largest unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return fmt.Sprintf("%d%s", s/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%dB", int64(s))
}

// Limits are what each process of a child, and of its hooks, may take; 0: as much as the host. They bound a process and not
// the whole tree, and are set a moment after its start: what it opened or started until then stays as it was.
type Limits struct {
	// Files is the number of open files (RLIMIT_NOFILE).
	Files int `json:"files,omitempty" yaml:"files" validate:"omitempty,gte=16,lte=1000000"`
	// FileSize is how long a file may become that it writes; what goes beyond is SIGXFSZ to it (RLIMIT_FSIZE).
	FileSize Size `json:"file_size,omitempty" yaml:"file_size" validate:"omitempty,gte=1048576"`
	// Nice is how readily it leaves the processor to others, up to 19.
	Nice int `json:"nice,omitempty" yaml:"nice" validate:"gte=0,lte=19"`
}

// String writes those that are set.
func (l Limits) String() string {
	var out []string
	if l.Files > 0 {
		out = append(out, fmt.Sprintf("%d open files", l.Files))
	}
	if l.FileSize > 0 {
		out = append(out, fmt.Sprintf("files up to %s", l.FileSize))
	}
	if l.Nice > 0 {
		out = append(out, fmt.Sprintf("nice %d", l.Nice))
	}
	return strings.Join(out, ", ")
}

func (l Limits) check() error {
	if l.Files < 0 || l.FileSize < 0 || l.Nice < 0 || l.Nice > 19 {
		return fmt.Errorf("limits: %+v has a negative one, or a nice over 19", l)
	}
	return nil
}

// hold sets them for pid, a child that is not reaped. What cannot be had is named, and the rest is set.
func (l Limits) hold(pid int) error {
	var errs []error
	set := func(name string, resource int, n uint64) {
		if n == 0 {
			return
		}
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: n, Max: n}, nil); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("limits.%s: %w", name, err))
		}
	}
	set("files", unix.RLIMIT_NOFILE, uint64(l.Files))
	set("file_size", unix.RLIMIT_FSIZE, uint64(l.FileSize))
	if l.Nice > 0 {
		if err := unix.Setpriority(unix.PRIO_PROCESS, pid, l.Nice); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("limits.nice: %w", err))
		}
	}
	return errors.Join(errs...)
}
