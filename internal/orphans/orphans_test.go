package orphans

import (
	"context"
	"errors"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// As PID 1 it is given everyone whose parent died, and takes from nobody the exit code of a child of his own.
func TestOrphansAreCollectedAndNobodysOwn(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil { // which has what PID 1 has
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var reaper sync.WaitGroup
	var collected atomic.Int64
	reaper.Go(func() { Reap(ctx, func(int) { collected.Add(1) }) })
	const lines, each = 4, 25
	var all sync.WaitGroup
	for range lines {
		all.Go(func() {
			for range each {
				// Two orphans, one of them in the middle of the other's life, and a code of its own.
				err := Run(exec.Command("/bin/sh", "-c", "(sleep 0.05 &); (true &); exit 7"))
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() != 7 {
					t.Errorf("its own child's end: %v", err)
				}
			}
		})
	}
	all.Wait()
	limit := time.Now().Add(time.Minute)
	for unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil) != unix.ECHILD {
		if time.Now().After(limit) {
			t.Fatal("children are left")
		}
		time.Sleep(time.Millisecond)
	}
	if n := collected.Load(); n < lines*each {
		t.Errorf("%d orphans of %d were collected by Reap", n, 2*lines*each)
	}
	stop()
	reaper.Wait()
	if len(own.pids) > 0 {
		t.Errorf("%v are taken for own still", own.pids)
	}
}
