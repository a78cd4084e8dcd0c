package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/program"
)

// attempt is one start of the child up to the end of its tree and of post_stop. It returns why the life is over, or "".
func (l *life) attempt() string {
	spec := l.beginAttempt()
	l.tree.begin()
	exit, refused := l.runChild(spec)
	if refused {
		l.tree.endChild()
		reason, over := l.over()
		if !over {
			reason = EndNoGo // the runner that gave the Go is gone
		}
		exit.Reason, exit.At = exitOf(reason), time.Now()
		return l.afterwards(spec, exit, reason)
	}
	reason, _ := l.over()
	if exit.Reason == ExitCode && slices.Contains(spec.Done, exit.Code) {
		exit.Reason, reason = ExitDone, EndDone // whatever was wished for meanwhile: it has ended by itself
	}
	l.judge(spec, &exit)
	return l.afterwards(spec, exit, reason)
}

// beginAttempt takes over what a restart wished for.
func (l *life) beginAttempt() Spec {
	l.mu.Lock()
	l.wishes.restart = false
	spec := l.spec
	l.state.Attempts++
	l.state.Restarts = l.state.Attempts - 1
	l.state.Phase, l.state.Dirty, l.state.Next = PhaseStarting, true, time.Time{}
	l.state.Ready, l.state.Unready = time.Time{}, ""
	l.limits = spec.Limits
	l.mu.Unlock()
	l.saver.state()
	l.journal.setMask(spec.Mask)
	l.bound()
	if err := l.vars.reset(); err != nil {
		l.warn("variables: %v", err)
	}
	if err := l.environ.begin(spec.environ()); err != nil {
		l.warn("%s: %v", EnvEnv, err)
	}
	return spec
}

// runChild runs pre_start and the child, and returns when its tree is gone. refused: it was not to be started any more.
func (l *life) runChild(spec Spec) (exit Exit, refused bool) {
	exit = Exit{Code: -1}
	for _, h := range spec.PreStart {
		if err := l.hook(spec, h, false); err != nil {
			if _, over := l.over(); over {
				return exit, true
			}
			exit.Reason, exit.Text = ExitPreStart, err.Error()
			return exit, false
		}
	}
	if _, over := l.over(); over || !l.started && !l.watched() {
		return exit, true
	}
	if l.wished().restart { // with another environment; this one is of no use any more
		exit.Reason = ExitRestart
		return exit, false
	}
	spec = l.startsWith(spec)
	readying := l.newReadying(spec)
	out, err := newOutput(l.journal, [2]string{MarkOut, MarkErr}, l.alive)
	if err != nil {
		exit.Reason, exit.Text = ExitStart, err.Error()
		return exit, false
	}
	p, err := l.spawn(spec, append([]string{spec.Path}, spec.Args...), spec.environ(), out, false)
	out.started()
	if err != nil {
		out.drain()
		exit.Reason, exit.Text = ExitStart, err.Error()
		return exit, errors.Is(err, errClosed)
	}
	began := time.Now()
	l.watchMemory()
	l.announce(p, began)
	readying.begin()
	exit.Reason = l.watch(spec, p, began, readying)
	exit.Ran = time.Since(began)
	l.tree.endChild()
	readying.end()
	out.drain()
	exit.fill(p)
	if exit.Text = l.ranOut(exit); exit.Reason == ExitUnready {
		exit.Text = readying.overdue()
	}
	return exit, false
}

// exitOf is the Exit reason that goes with an End reason.
func exitOf(end string) string {
	switch end {
	case EndDeadline:
		return ExitDeadline
	case EndKilled:
		return ExitKilled
	}
	return ExitStopped
}

// fill adds how the process itself ended.
func (e *Exit) fill(p *process) {
	<-p.done // the tree is gone, so it was reaped
	switch {
	case p.status.Signaled():
		e.Signal = cmp.Or(unix.SignalName(p.status.Signal()), p.status.Signal().String())
		if e.Reason == ExitCode {
			e.Reason = ExitSignal
		}
	case p.status.Exited():
		e.Code = p.status.ExitStatus()
	}
}

func (l *life) announce(p *process, at time.Time) {
	var attempt int
	l.change(func(s *State) {
		s.Phase, s.Child, s.Last, s.StartedAt = PhaseRunning, p.Process, p.Process, at
		attempt = s.Attempts
	})
	l.journal.say("started: pid %d, attempt %d", p.PID, attempt)
	l.emit(Event{Kind: EventStarted, PID: p.PID, Attempt: attempt})
	if !l.started {
		l.started = true
		l.settle()
	}
}

// watch returns why the child is to end, after asking it where that is the way. What then is left is the caller's.
func (l *life) watch(spec Spec, p *process, began time.Time, readying *readying) string {
	l.alive()
	stall := time.NewTimer(max(spec.Stall, time.Second))
	defer stall.Stop()
	if spec.Stall == 0 {
		stall.Stop()
	}
	for {
		w := l.wished()
		switch {
		case l.guard.over():
			return ExitDeadline
		case w.end == endNow:
			return ExitKilled
		case w.end == endGently:
			return l.ask(spec, ExitStopped)
		case w.restart:
			return l.ask(spec, ExitRestart)
		}
		if l.takeKick() {
			l.past = l.past.fresh()
		}
		var old <-chan time.Time // enough for what it is to be told
		switch signal, in := l.due(time.Since(began)); {
		case signal != "":
			l.hand(p, signal)
		case in > 0:
			old = time.After(in)
		}
		due, late, answer := readying.waits()
		select {
		case <-old:
		case <-due:
			readying.ask()
		case err := <-answer:
			readying.heed(err)
		case <-late:
			l.journal.say("%s", readying.overdue())
			return l.ask(spec, ExitUnready)
		case <-p.done:
			if l.guard.over() {
				return ExitDeadline // it was killed a moment ago
			}
			return ExitCode
		case <-l.wake:
		case <-l.guard.lapsed:
		case <-stall.C:
			quiet := time.Since(l.born) - time.Duration(l.sign.Load())
			if quiet < spec.Stall {
				stall.Reset(spec.Stall - quiet)
				continue
			}
			l.change(func(s *State) { s.Stalls++ })
			l.journal.say("stalled: no output, progress or variable for %s", quiet.Round(time.Millisecond))
			l.emit(Event{Kind: EventStalled, Text: fmt.Sprintf("no output, progress or variable for %s", quiet.Round(time.Second))})
			return l.ask(spec, ExitStalled)
		}
	}
}

// ask sends the stop signal to the tree and waits until all of it is gone, or the grace is over, or something harder is
// wished. It waits for the tree and not for the child: a shell may go at once while its ffmpeg still writes the index of
// a recording.
func (l *life) ask(spec Spec, reason string) string {
	l.enter(PhaseStopping)
	grace := time.NewTimer(spec.Stop.Grace)
	defer grace.Stop()
	l.tree.signal(stopSignals[spec.Stop.Signal])
	for !l.forker.empty() {
		switch {
		case l.guard.over():
			return ExitDeadline
		case l.wished().end == endNow:
			return ExitKilled
		}
		select {
		case <-l.forker.reaped:
		case <-l.wake:
		case <-l.guard.lapsed:
		case <-grace.C:
			l.journal.say("not gone %s after %s: KILL", spec.Stop.Grace, spec.Stop.Signal)
			return reason
		}
	}
	return reason
}

// judge decides what an end means for the next start.
func (l *life) judge(spec Spec, exit *Exit) {
	exit.At = time.Now()
	exit.Stderr = l.journal.lastErrors()
	exit.Text = l.journal.clean(exit.Text)
	switch exit.Reason {
	case ExitStopped, ExitKilled, ExitDeadline, ExitDone:
		return
	case ExitRestart:
		l.past, l.delay = l.past.fresh(), 0
		l.change(func(s *State) { s.Failing = false })
		return
	}
	l.mu.Lock()
	away, pace := l.state.Away, l.state.Pace
	l.mu.Unlock()
	exit.Counted = !away
	var v Backoff
	l.past, v = spec.Restart.Next(l.past, Ended{At: time.Since(l.born), Ran: exit.Ran, Counted: exit.Counted}, pace, rand.Float64())
	l.delay = v.Delay
	l.change(func(s *State) { s.Failures, s.Failing = v.Failures, v.Failing })
}

// afterwards tells of an end, runs post_stop, and passes reason on.
func (l *life) afterwards(spec Spec, exit Exit, reason string) string {
	var failures, attempt int
	var failing bool
	l.change(func(s *State) {
		s.Phase, s.Child, s.Exit = PhaseCleaning, Process{}, &exit
		failures, failing, attempt = s.Failures, s.Failing && exit.Counted, s.Attempts
	})
	l.journal.say("ended: %s after %s", exit, exit.Ran.Round(time.Millisecond))
	l.emit(Event{Kind: EventExited, Exit: &exit, Failures: failures, Attempt: attempt})
	if failing {
		l.emit(Event{Kind: EventFailing, Failures: failures})
	}
	if reason == EndDeadline {
		l.emit(Event{Kind: EventDeadline})
	}
	for _, h := range spec.PostStop {
		if err := l.hook(spec, h, true, EnvExit+"="+exit.Reason); err != nil {
			l.warn("post_stop: %v", err)
		}
	}
	if err := l.environ.end(); err != nil {
		l.warn("%s: %v", EnvEnv, err)
	}
	l.change(func(s *State) { s.Dirty = false })
	if later, over := l.over(); reason == "" && over {
		return later
	}
	return reason
}

// spawn starts argv in the slot's working directory.
func (l *life) spawn(spec Spec, argv, env []string, out *output, after bool) (*process, error) {
	path, err := lookPath(argv[0], spec.Env)
	if err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	work := filepath.Join(spec.Dir, dirWork)
	if err := os.MkdirAll(work, 0o700); err != nil { // the child may have removed it
		return nil, err
	}
	c := command{path: path, argv: argv, env: env, dir: work, stdout: out.write[0], stderr: out.write[1], cgroup: -1, after: after, limits: spec.Limits}
	start := func() (*process, error) {
		var err error
		if c.passage, err = l.passage(spec); err != nil {
			return nil, err
		}
		return l.forker.start(c)
	}
	if l.cgroup != nil {
		if c.cgroup, err = l.cgroup.place(); err != nil {
			l.warn("no cgroup for this start: %v", err)
		}
	}
	p, err := start()
	if c.cgroup >= 0 && err != nil && !errors.Is(err, errClosed) {
		// Either the program or the cgroup; without the cgroup it must be the program.
		why := err
		c.cgroup = -1
		if p, err = start(); err == nil {
			l.warn("cgroup %s: %v; going on without it", l.cgroup.path, why)
			l.cgroup = nil
			l.change(func(s *State) { s.NoCgroup = "a start in it: " + why.Error() })
			l.bound()
		}
	}
	if err != nil && !errors.Is(err, errClosed) {
		err = fmt.Errorf("cannot start: %w", cmp.Or(spec.hidden(path, err), program.Explain(path, err)))
	}
	if p != nil && p.unheld != nil && !p.ended() {
		l.warn("it runs without what cannot be had here: %v", p.unheld)
	}
	if p != nil && p.unoffered != nil && !p.ended() {
		l.journal.say("its oom_score_adj stays as it is: %v", p.unoffered)
	}
	return p, err
}
