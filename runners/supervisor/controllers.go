package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hostLeaf is the cgroup below the delegated one that the runner and its supervisors live in: only a cgroup without processes
// of its own may hand controllers on to those below it, which the slots have (cgroups(7), "no internal processes").
const hostLeaf = "stream-api-host"

// setting is what one file of a slot's cgroup is to say.
type setting struct {
	limit      string // of the file's limits; empty: it goes with the one before, as far as the kernel has it
	controller string
	file       string
	value      string
	wanted     bool // else it says what a new cgroup does
}

// settings are all that limits mean to a cgroup. An earlier attempt may have had others, so each is there.
func (l Limits) settings() []setting {
	number := func(n int64) string {
		if n == 0 {
			return "max"
		}
		return strconv.FormatInt(n, 10)
	}
	const period = 100_000 // microseconds; the kernel's own
	quota := "max"
	if l.CPU > 0 {
		quota = strconv.FormatInt(int64(l.CPU)*period/1000, 10)
	}
	noSwap, whole := "max", "0"
	if l.Memory > 0 {
		noSwap, whole = "0", "1" // a stream in swap is a late one, and half a child is none
	}
	return []setting{
		{"memory", "memory", "memory.max", number(int64(l.Memory)), l.Memory > 0},
		{"", "memory", "memory.swap.max", noSwap, false},
		{"", "memory", "memory.oom.group", whole, false},
		{"pids", "pids", "pids.max", number(int64(l.PIDs)), l.PIDs > 0},
		{"cpu", "cpu", "cpu.max", fmt.Sprint(quota, " ", period), l.CPU > 0},
		// Where each slot is a party of its own for the scheduler, the nice values within are no more than a matter among themselves.
		{"", "cpu", "cpu.weight.nice", strconv.Itoa(l.Nice), false},
		{"cpus", "cpuset", "cpuset.cpus", l.CPUs + "\n", l.CPUs != ""},
	}
}

// hold has the kernel hold all that is in the cgroup to l, the controllers it takes enabled first. What cannot be had is named,
// and the rest holds.
func (c *cgroup) hold(l Limits) error {
	var errs []error
	for _, s := range l.settings() {
		err := overwrite(filepath.Join(c.path, s.file), s.value)
		if s.wanted && errors.Is(err, fs.ErrNotExist) {
			if err = enable(filepath.Dir(c.path), s.controller); err == nil {
				err = overwrite(filepath.Join(c.path, s.file), s.value)
			}
		}
		if s.wanted && err != nil {
			errs = append(errs, fmt.Errorf("limits.%s: %w", s.limit, err))
		}
	}
	return errors.Join(errs...)
}

// bound has the kernel hold the child to its limits by cgroup, and tells when what cannot be had changes.
func (l *life) bound() {
	l.bounding.Lock()
	defer l.bounding.Unlock()
	l.mu.Lock()
	limits, before, why := l.limits, l.state.Unheld, l.state.NoCgroup
	l.mu.Unlock()
	err := limits.unheld(why)
	if why == "" {
		err = l.tree.cgroup.hold(limits)
	}
	l.mu.Lock()
	l.memory.anew()
	l.mu.Unlock()
	now := ""
	if err != nil {
		now = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if now == before {
		return
	}
	l.change(func(s *State) { s.Unheld = now })
	if now != "" {
		l.warn("it runs without what cannot be had here: %s", now)
	}
}

// unheld names those that need a cgroup, for a child that has none.
func (l Limits) unheld(why string) error {
	var errs []error
	for _, s := range l.settings() {
		if s.wanted {
			errs = append(errs, fmt.Errorf("limits.%s: it has no cgroup of its own: %s", s.limit, why))
		}
	}
	return errors.Join(errs...)
}

// enable has base, whose own processes are all in cgroups below it, hand a controller on to these.
func enable(base, controller string) error {
	text, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	if err != nil {
		return err
	}
	if !slices.Contains(strings.Fields(string(text)), controller) {
		return fmt.Errorf("there is no controller %s in %s: it is with cgroup v1, or Delegate= of the unit leaves it out", controller, base)
	}
	if err := overwrite(filepath.Join(base, "cgroup.subtree_control"), "+"+controller); err != nil {
		if errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("%s does not hand %s on, as processes live in it itself: %w", base, controller, err)
		}
		return err
	}
	if controller == "cpu" {
		// Else all who keep the deadlines had together what one slot has.
		err = overwrite(filepath.Join(base, hostLeaf, "cpu.weight"), "10000")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody lives there
	}
	return err
}

// overwrite writes to a file that is there.
func overwrite(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// Settle moves the calling process, a runner, into a leaf of the cgroup that was delegated to it, so that this can hand on the
// controllers which limits need; supervisors that it starts are born there. Where there is no such cgroup, or it is a machine's or a
// container's whole, it changes nothing. The unit must take the controllers back before it starts the next life, which systemd puts
// where this one began: see ExecStopPost= of the unit.
func Settle() error {
	base, err := findCgroup("")
	if err != nil {
		return nil // CheckCgroup says why
	}
	own, err := ownCgroup("")
	if err != nil || own == "/" || filepath.Base(own) == hostLeaf {
		return err
	}
	leaf := filepath.Join(base, hostLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return overwrite(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(os.Getpid()))
}

// CheckLimits says which limits a child of this process's supervisors would not be held to; nil: it would be to all. It tries them
// on a cgroup that nobody is in, and leaves what it enabled for that enabled.
func CheckLimits(l Limits) error {
	errs := []error{l.beyond()}
	if l.unheld("") == nil {
		return errs[0]
	}
	base, err := findCgroup("")
	if err != nil {
		return errors.Join(append(errs, l.unheld(err.Error()))...)
	}
	c, err := makeCgroup(base, fmt.Sprintf("limits tried by %d", unix.Getpid()))
	if err != nil {
		return errors.Join(append(errs, l.unheld(err.Error()))...)
	}
	errs = append(errs, c.hold(l))
	return errors.Join(append(errs, c.remove())...)
}

// CheckMachine says which limits this machine has nothing for, whoever asks: what its kernel, or whatever bound its controllers to cgroup
// v1, leaves out of cgroup v2. What a host may use of the rest CheckLimits says.
func CheckMachine(l Limits) error { return l.missing("") }

func (l Limits) missing(root string) error {
	mount, err := cgroupMount(root)
	var there []string
	if err == nil {
		var text []byte
		text, err = os.ReadFile(filepath.Join(root, mount, "cgroup.controllers"))
		there = strings.Fields(string(text))
	}
	var errs []error
	for _, s := range l.settings() {
		if s.wanted && !slices.Contains(there, s.controller) {
			errs = append(errs, fmt.Errorf("limits.%s: %w", s.limit, cmp.Or(err, fmt.Errorf("there is no controller %s in cgroup v2", s.controller))))
		}
	}
	return errors.Join(errs...)
}
