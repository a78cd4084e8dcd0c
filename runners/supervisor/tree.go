package supervisor

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tree is everything below the supervisor: the child or a hook, whatever these started, and whatever that left behind.
type tree struct {
	forker *forker
	cgroup *cgroup // nil where there is none
	warn   func(format string, a ...any)

	mu   sync.Mutex // held while killing, so that a late killer never meets a hook that came after
	mine bool       // what lives belongs to the child; false while a post_stop hook may live
}

// begin says that what is started from now on belongs to the child.
func (t *tree) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mine = true
}

// signal asks everyone to end.
func (t *tree) signal(sig syscall.Signal) {
	t.forker.signalGroups(sig)
	all, err := descendants(os.Getpid())
	if err != nil {
		t.warn("%v", err)
		return
	}
	asked := map[int]bool{}
	t.forker.mu.Lock()
	for pid := range t.forker.live {
		asked[pid] = true
	}
	t.forker.mu.Unlock()
	for _, s := range all {
		if !s.dead() && !asked[s.group] {
			_ = s.id().signal(sig) // gone meanwhile, or not ours to signal: KILL reports it
		}
	}
}

// endChild kills the child's tree and returns when nothing of it is left. It does nothing while the tree is a hook's.
func (t *tree) endChild() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mine {
		t.kill()
		t.mine = false
	}
}

// sweep kills what a post_stop hook left.
func (t *tree) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kill()
}

// endSession kills whom a probe started, its own process included, and leaves the child alone. What leaves the session, or
// cannot be killed, ends with the child's tree. It holds no lock: a deadline must not wait for it.
func (t *tree) endSession(id int) {
	for range 20 {
		all, err := descendants(os.Getpid())
		if err != nil {
			t.warn("%v", err)
			return
		}
		left := false
		for _, s := range all {
			if s.session == id && !s.dead() {
				left = true
				_ = s.id().signal(unix.SIGKILL) // ESRCH: gone meanwhile
			}
		}
		if !left {
			return
		}
		time.Sleep(5 * time.Millisecond) // for the kernel to end them
	}
}

// kill sends KILL to everyone until nobody is left. A process in uninterruptible sleep can keep it here for as long as the
// kernel holds it; the slot is not free before, and saying otherwise would let a second child start beside it.
func (t *tree) kill() {
	began, told := time.Now(), time.Second
	for wait := time.Millisecond; !t.forker.empty(); wait = min(2*wait, 100*time.Millisecond) {
		t.forker.signalGroups(unix.SIGKILL)
		if t.cgroup != nil {
			if err := t.cgroup.kill(); err != nil && told == time.Second {
				t.warn("%v", err)
			}
		}
		left := t.killEach()
		if spent := time.Since(began); spent > told {
			told *= 10
			t.warn("not gone %s after KILL: %s", spent.Round(time.Millisecond), strings.Join(left, ", "))
		}
		pause := time.NewTimer(wait)
		select {
		case <-t.forker.reaped:
		case <-pause.C:
		}
		pause.Stop()
	}
}

// killEach sends KILL to each descendant and describes those that are not dead.
func (t *tree) killEach() (left []string) {
	all, err := descendants(os.Getpid())
	if err != nil {
		return []string{err.Error()}
	}
	for _, s := range all {
		if s.dead() {
			continue
		}
		text := fmt.Sprintf("pid %d (%c)", s.pid, s.state)
		if err := s.id().signal(unix.SIGKILL); err != nil {
			text += ": " + err.Error()
		}
		left = append(left, text)
	}
	return left
}
