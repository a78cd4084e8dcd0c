package supervisor

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
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

// Processors is an amount of processor time: thousandths of one processor.
type Processors int64

// String writes it as the file does, in processors.
func (p Processors) String() string { return strconv.FormatFloat(float64(p)/1000, 'f', -1, 64) }

// Limits are what a child and its hooks may take; 0: as much as the host. Files, FileSize and Nice bound each process, and are set a
// moment after its start: what it opened or started until then stays as it was. The others bound the whole tree from its first moment
// on, by cgroup v2 (controllers.go), as does Nice where Processors or CPUs are set for somebody.
type Limits struct {
	// Files is the number of open files (RLIMIT_NOFILE).
	Files int `json:"files,omitempty" yaml:"files" validate:"omitempty,gte=16,lte=1000000"`
	// FileSize is how long a file may become that it writes; what goes beyond is SIGXFSZ to it (RLIMIT_FSIZE).
	FileSize Size `json:"file_size,omitempty" yaml:"file_size" validate:"omitempty,gte=1048576"`
	// Nice is how readily it leaves the processor to others, up to 19.
	Nice int `json:"nice,omitempty" yaml:"nice" validate:"gte=0,lte=19"`

	// Memory is what the tree may use, swap never: beyond it the kernel ends all of it (memory.max, memory.oom.group).
	Memory Size `json:"memory,omitempty" yaml:"memory" validate:"omitempty,gte=1048576"`
	// PIDs is the number of processes and threads at a time (pids.max).
	PIDs int `json:"pids,omitempty" yaml:"pids" validate:"omitempty,gte=1,lte=4194304"`
	// CPU is the processor time a second (cpu.max).
	CPU Processors `json:"cpu,omitempty" yaml:"cpu"`
	// CPUs are the processors it may run on, such as 0-3,8 (cpuset.cpus); empty: all.
	CPUs string `json:"cpus,omitempty" yaml:"cpus" validate:"omitempty,processors"`
}

// String writes those that are set.
func (l Limits) String() string {
	var out []string
	add := func(set bool, format string, a any) {
		if set {
			out = append(out, fmt.Sprintf(format, a))
		}
	}
	add(l.Files > 0, "%d open files", l.Files)
	add(l.FileSize > 0, "files up to %s", l.FileSize)
	add(l.Nice > 0, "nice %d", l.Nice)
	add(l.Memory > 0, "%s of memory", l.Memory)
	add(l.PIDs > 0, "%d processes and threads", l.PIDs)
	add(l.CPU > 0, "%s processors' time", l.CPU)
	add(l.CPUs != "", "on processors %s", l.CPUs)
	return strings.Join(out, ", ")
}

var processorList = regexp.MustCompile(`^[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*$`)

// CheckCPUs says why s is no list of processors, or nil.
func CheckCPUs(s string) error {
	if len(s) > 200 || !processorList.MatchString(s) {
		return fmt.Errorf("%.50q is no list of processors: write their numbers, such as 2, 0-3 or 0-3,8", s)
	}
	return nil
}

func (l Limits) check() error {
	if l.Files < 0 || l.FileSize < 0 || l.Nice < 0 || l.Nice > 19 || l.Memory < 0 || l.PIDs < 0 || l.CPU < 0 {
		return fmt.Errorf("limits: %+v has a negative one, or a nice over 19", l)
	}
	if l.CPUs != "" {
		return CheckCPUs(l.CPUs)
	}
	return nil
}

// hold sets those of a process for pid, a child that is not reaped. What cannot be had is named, and the rest is set.
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

// beyond names those of a process that this one cannot give to its children.
func (l Limits) beyond() error {
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &most); err != nil {
		return fmt.Errorf("limits.files: %w", err)
	}
	if os.Geteuid() == 0 {
		most.Max = math.MaxUint64
	}
	if uint64(l.Files) > most.Max {
		return fmt.Errorf("limits.files: the host may have %d (LimitNOFILE= of the unit)", most.Max)
	}
	return nil
}
