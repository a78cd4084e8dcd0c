// Package step is the process between a supervisor and a confined program: it takes on what confines it, becomes the program,
// and says over a pipe if it could not.
//
// It runs as an initialiser, and imports next to nothing. So it runs before the rest of this program initialises itself, which would
// take longer than all it does; that it runs early is for speed, not for correctness.
package step

import (
	"bytes"
	"strconv"
	"syscall"
	"unsafe"
)

// Command is the second word of the step's command line, and Name the first. After them come Bare or Ruled, the path of the
// program, and its whole command line.
const (
	Name    = "stream-api"
	Command = "confine"
	Bare    = "bare"  // no_new_privs alone
	Ruled   = "ruled" // and the Landlock ruleset that lies open as FdRuleset
)

// What the step finds open beside 0 to 2.
const (
	FdTell    = 3
	FdRuleset = 4
)

// Words of the pipe FdTell, which is closed when the program runs or the process has died.
const (
	Trying = '.' // the program is what comes next
	Failed = '!' // after Trying: the number of the error with which the kernel refused the program
	Broken = '?' // why it could not be confined, in words
)

// Comm is the name of the process until it is the program.
const Comm = "\x01confine"

const (
	prSetName       = 15
	prSetNoNewPrivs = 38
	sysRestrictSelf = 446 // landlock_restrict_self, the same on every architecture
)

func init() {
	line, ok := commandLine()
	if !ok {
		return
	}
	argv := words(line)
	if len(argv) < 5 || argv[2] != Bare && argv[2] != Ruled {
		return
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(FdTell, &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFIFO {
		return // somebody typed it
	}
	syscall.Exit(run(argv[2] == Ruled, argv[3], argv[4:]))
}

// run returns only if the program could not be run.
func run(ruled bool, path string, argv []string) int {
	if err := closeAtExec(FdTell); err != nil {
		return broken("close the pipe", err)
	}
	// As it is: what syscall makes of it loses what is there twice.
	env, err := read("/proc/self/environ", func([]byte) bool { return true })
	if err != nil {
		return broken("read the environment", err)
	}
	name := append([]byte(Comm), 0)
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, prSetName, uintptr(unsafe.Pointer(&name[0])), 0) // see Comm
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); e != 0 {
		return broken("set no_new_privs", e)
	}
	if ruled {
		if err := closeAtExec(FdRuleset); err != nil {
			return broken("find the ruleset", err)
		}
		if _, _, e := syscall.RawSyscall(sysRestrictSelf, FdRuleset, 0, 0); e != 0 {
			return broken("landlock_restrict_self", e)
		}
	}
	tell(string(rune(Trying)))
	err = syscall.Exec(path, argv, words(env))
	errno, _ := err.(syscall.Errno)
	tell(string(rune(Failed)) + strconv.Itoa(int(errno)))
	return 127
}

func broken(what string, err error) int {
	tell(string(rune(Broken)) + what + ": " + err.Error())
	return 127
}

// tell speaks to whoever waits; if nobody does, nobody misses it.
func tell(text string) { _, _ = syscall.Write(FdTell, []byte(text)) }

// commandLine reads this process's own, if it begins as the step's does.
func commandLine() ([]byte, bool) {
	prefix := []byte(Name + "\x00" + Command + "\x00")
	line, err := read("/proc/self/cmdline", func(start []byte) bool { return bytes.HasPrefix(start, prefix) })
	return line, err == nil && bytes.HasPrefix(line, prefix)
}

// read reads a file of /proc, further than its first bytes only if goOn.
func read(path string, goOn func(start []byte) bool) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(fd) }() // only read from
	var text []byte
	for size := 4096; ; size = 64 << 10 {
		part := make([]byte, size)
		n, err := syscall.Read(fd, part)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return nil, err
		}
		text = append(text, part[:n]...)
		if n == 0 || !goOn(text) {
			return text, nil
		}
	}
}

// words splits a list of the kernel's: each word ends with a NUL.
func words(line []byte) []string {
	var out []string
	for len(line) > 0 {
		word, rest, _ := bytes.Cut(line, []byte{0})
		out, line = append(out, string(word)), rest
	}
	return out
}

func closeAtExec(fd uintptr) error {
	if _, _, e := syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_SETFD, syscall.FD_CLOEXEC); e != 0 {
		return e
	}
	return nil
}
