package orphans

import (
	"context"
	"encoding/binary"
	"os"
	"os/signal"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// again is how soon Reap looks again when it could not look, or saw one that somebody else is about to wait for.
const again = 100 * time.Millisecond

// Reap collects orphans until ctx is over. gone, if not nil, is told each pid.
func Reap(ctx context.Context, gone func(pid int)) {
	exits := make(chan os.Signal, 1)
	signal.Notify(exits, unix.SIGCHLD)
	defer signal.Stop(exits)
	retry := time.NewTimer(0) // for those who ended before it listened
	defer retry.Stop()
	for {
		select {
		case <-exits:
		case <-retry.C:
		case <-ctx.Done():
			return
		}
		if !reapAll(gone) {
			retry.Reset(again)
		}
	}
}

// reapAll collects who is dead and nobody's; false: there may be more.
func reapAll(gone func(pid int)) bool {
	for {
		pid, more := reapOne()
		if pid == 0 {
			return !more
		}
		if gone != nil {
			gone(pid)
		}
	}
}

// reapOne collects one; 0 if there is none, or, with more, none that could be told from our own just now.
func reapOne() (pid int, more bool) {
	if !own.starting.TryLock() {
		return 0, true
	}
	defer own.starting.Unlock()
	switch pid = firstDead(); {
	case pid == 0:
		return 0, false
	case isOwn(pid):
		return 0, true // it stands before the others until it is waited for
	}
	if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG, nil); err != nil {
		return 0, err == unix.EINTR
	}
	return pid, true
}

// firstDead looks for a dead child and leaves it as it is; 0: there is none.
func firstDead() int {
	// unix.Siginfo hides the field. It is an int32 after three others, from the next boundary of a pointer on.
	var info [16]uint64
	const at = (3*4 + unsafe.Sizeof(uintptr(0)) - 1) &^ (unsafe.Sizeof(uintptr(0)) - 1)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info))
	err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err != nil {
		return 0 // ECHILD: no child at all
	}
	return int(int32(binary.NativeEndian.Uint32(raw[at:])))
}
