package supervisor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
)

// ErrLive: the supervisor lives, so its directory is its own.
var ErrLive = errors.New("its supervisor lives")

// Found is one slot's directory.
type Found struct {
	Dir       string
	Spec      Spec      // zero if SpecErr
	SpecErr   error     // it cannot be read: killed while it was made, or of another version
	Live      bool      // the supervisor lives: Adopt it
	State     State     // the last one saved; zero if there is none
	StateErr  error     // why there is none
	Leftovers []Process // of a supervisor that is gone: what it was to end and could not
}

// Ended reports that the supervisor came to its proper end: the tree is gone and post_stop has run. One that is neither
// live nor ended was killed, and wants Finish.
func (f Found) Ended() bool { return !f.Live && f.StateErr == nil && f.State.Phase == PhaseEnded }

// List looks at each directory in root, the runner's place for slots. It connects to nobody. A root that is not there
// holds none.
func List(root string) ([]Found, error) {
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Found
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		f, err := Inspect(filepath.Join(root, e.Name()))
		if err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

// Inspect reads one slot's directory and changes nothing. Errors: those of the file system.
func Inspect(dir string) (Found, error) {
	f := Found{Dir: dir}
	var err error
	if f.Live, err = Live(dir); err != nil {
		return Found{}, err
	}
	// After the question for the lock: what is read now is then the last word of a supervisor that is gone.
	if there, err := realDirectory(dir); there {
		f.Spec, f.SpecErr = ReadSpec(dir)
		f.State, f.StateErr = ReadState(dir)
	} else {
		err = cmp.Or(err, fmt.Errorf("%s: %w", dir, fs.ErrNotExist))
		f.SpecErr, f.StateErr = err, err
	}
	if !f.Live && !f.Ended() {
		f.Leftovers, err = leftovers(dir, f.State)
	}
	return f, err
}

// realDirectory reports whether dir is a directory, and no link to one: what lies behind a link is not the slot's.
func realDirectory(dir string) (bool, error) {
	info, err := regular.Within(filePatience, dir, func() (fs.FileInfo, error) { return os.Lstat(dir) }, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}

// leftovers finds what a killed supervisor left running: the members of its cgroup, those whose environment names this
// directory's variables file, those in the session of its last child, and all descendants of any of these. Without a
// cgroup, what cleared its environment, left its session, and whose parent is gone is not found. A supervisor that lives
// though its lock and its state are lost is among them.
func leftovers(dir string, state State) ([]Process, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	same := state.BootID == boot
	if !same && state.BootID != "" {
		return nil, nil // it was saved before anything was started, and nothing outlives its boot
	}
	c, err := processes.take()
	if err != nil {
		return nil, err
	}
	leader := same && state.Last.alive()
	inCgroup := map[int]bool{}
	if same && state.Cgroup != "" {
		inCgroup = cgroupMembers(state.Cgroup)
	}
	mark := varsPath(dir)
	ours := map[int]procStat{}
	for _, s := range c.all {
		// The session's number is only known to be the child's own as long as the child itself lives.
		if s.dead() || s.pid == os.Getpid() {
			continue
		}
		if inCgroup[s.pid] || leader && s.session == state.Last.PID || c.marks[s.pid] == mark || c.keepers[s.pid] == dir {
			ours[s.pid] = s
			for _, d := range below(s.pid, c.all) {
				if !d.dead() {
					ours[d.pid] = d
				}
			}
		}
	}
	var found []Process
	for _, s := range ours {
		found = append(found, s.id())
	}
	return found, nil
}

// cgroupMembers lists the pids in dir and below it.
func cgroupMembers(dir string) map[int]bool {
	members := map[int]bool{}
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // gone, or a file of it
		}
		text, _ := os.ReadFile(filepath.Join(p, "cgroup.procs")) // gone: no members
		for _, f := range bytes.Fields(text) {
			if pid, err := strconv.Atoi(string(f)); err == nil {
				members[pid] = true
			}
		}
		return nil
	})
	return members
}

// KillLeftovers ends what a dead supervisor left running in dir, and returns when none of it is found any more. It never
// touches a process it cannot prove to be one of these: each is held by a pidfd while its start time is compared. A living
// supervisor gives ErrLive.
func KillLeftovers(ctx context.Context, dir string) error {
	f, err := Inspect(dir)
	if err != nil {
		return err
	}
	return killLeftovers(ctx, f)
}

// killLeftovers is KillLeftovers for what was looked at a moment ago.
func killLeftovers(ctx context.Context, f Found) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		switch {
		case f.Live:
			return fmt.Errorf("%s: %w", f.Dir, ErrLive)
		case len(f.Leftovers) == 0:
			return sweepCgroup(f.State)
		}
		if c := f.State.Cgroup; c != "" && len(cgroupMembers(c)) > 0 {
			if err := killCgroup(c); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("leftovers of %s: %w", f.Dir, err)
			}
		}
		for _, p := range f.Leftovers {
			if err := p.signal(unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("leftover %d of %s: %w", p.PID, f.Dir, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("leftovers of %s are not gone: %w", f.Dir, context.Cause(ctx))
		case <-tick.C:
		}
		var err error
		if f, err = Inspect(f.Dir); err != nil {
			return err
		}
	}
}

// sweepCgroup removes the cgroup a killed supervisor left.
func sweepCgroup(state State) error {
	boot, err := bootID()
	if err != nil || state.Cgroup == "" || state.BootID != boot {
		return err
	}
	if err := removeCgroup(state.Cgroup); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cgroup %s: %w", state.Cgroup, err)
	}
	return nil
}

// Remove takes an ended slot's directory away, log and all. It gives ErrLive if the supervisor lives, after the moment it
// needs to go once it is done, and an error if anything it left still runs.
func Remove(ctx context.Context, dir string) error {
	f, err := awaitGone(ctx, dir)
	if err != nil {
		return err
	}
	if n := len(f.Leftovers); n > 0 {
		return fmt.Errorf("%s: %d processes of it still run", dir, n)
	}
	return os.RemoveAll(dir)
}

// awaitGone looks at dir and, if its supervisor has ended but its process is not gone yet, waits for that.
func awaitGone(ctx context.Context, dir string) (Found, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(3 * time.Second)
	defer patience.Stop()
	for {
		f, err := Inspect(dir)
		if err != nil || !f.Live {
			return f, err
		}
		if f.StateErr != nil || f.State.Phase != PhaseEnded {
			return f, fmt.Errorf("%s: %w", dir, ErrLive)
		}
		select {
		case <-ctx.Done():
			return f, context.Cause(ctx)
		case <-patience.C:
			return f, fmt.Errorf("%s: %w", dir, ErrLive)
		case <-tick.C:
		}
	}
}
