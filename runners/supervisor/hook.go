package supervisor

import (
	"fmt"
	"time"
)

// hook runs one hook to its end, sweeps up what it left, and says how it failed. A pre_start hook (after is false) ends
// early when the life is over; a post_stop hook has its whole timeout.
func (l *life) hook(spec Spec, h Hook, after bool, env ...string) error {
	out, err := newOutput(l.journal, [2]string{MarkHook, MarkHook}, func() {})
	if err != nil {
		return fmt.Errorf("%s: %w", h.Argv[0], err)
	}
	p, err := l.spawn(spec, h.Argv, spec.environ(env...), out, after)
	out.started()
	if err != nil {
		out.drain()
		return fmt.Errorf("hook: %w", err)
	}
	err = l.awaitHook(p, h, after)
	l.tree.sweep()
	out.drain()
	<-p.done
	switch {
	case err != nil:
		return fmt.Errorf("hook %s: %w", h.Argv[0], err)
	case p.status.Signaled():
		return fmt.Errorf("hook %s: ended by %s", h.Argv[0], p.status.Signal())
	case p.status.ExitStatus() != 0:
		return fmt.Errorf("hook %s: exit code %d", h.Argv[0], p.status.ExitStatus())
	}
	return nil
}

// awaitHook waits for a hook's own process.
func (l *life) awaitHook(p *process, h Hook, after bool) error {
	patience := time.NewTimer(h.Timeout)
	defer patience.Stop()
	lapsed := l.guard.lapsed
	if after {
		lapsed = nil
	}
	for {
		if reason, over := l.over(); over && !after {
			return fmt.Errorf("broken off: %s", reason)
		}
		select {
		case <-p.done:
			return nil
		case <-patience.C:
			return fmt.Errorf("not done within %s", h.Timeout)
		case <-l.wake: // a wish for after the hook is still there then
		case <-lapsed:
		}
	}
}
