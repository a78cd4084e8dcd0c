package runners

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"stream-api/internal/orphans"
	"stream-api/internal/probe"
	"stream-api/program"
	"stream-api/runners/plan"
	"stream-api/store"
)

// retellEvery is how often a service that is unwell says so again: the store weighs
// anew who is heeded, and may have lost what it was told.
const retellEvery = 30 * time.Second

// tally counts a check's answers in a row.
type tally struct {
	fails, passes int
	known, unwell bool
}

// add takes one answer in; true if the service is not what it was.
func (t *tally) add(well bool, fall, rise int) bool {
	was := *t
	if well {
		t.passes, t.fails = t.passes+1, 0
	} else {
		t.fails, t.passes = t.fails+1, 0
	}
	switch {
	case t.fails >= fall:
		t.known, t.unwell = true, true
	case t.passes >= rise:
		t.known, t.unwell = true, false
	}
	return t.known != was.known || t.unwell != was.unwell
}

// watchChecks asks how this host's services are, for as long as it works.
func (r *Runner) watchChecks(ctx context.Context) {
	var without []string
	for _, s := range r.services {
		if s.Check == nil {
			without = append(without, s.Type)
		} else {
			r.holders.Go(func() { r.watchService(ctx, s) })
		}
	}
	if len(without) > 0 {
		r.holders.Go(func() { r.forgetChecks(ctx, without) })
	}
}

// forgetChecks takes back what an earlier life said of services that have no check
// any more.
func (r *Runner) forgetChecks(ctx context.Context, types []string) {
	for {
		err := r.whenRegistered(ctx, func(ctx context.Context) error {
			hosts, err := r.store.HostsNamed(ctx, []string{r.o.Host})
			if err != nil || len(hosts) == 0 {
				return err
			}
			for _, v := range hosts[0].Services {
				s := r.services[v.Type]
				if v.Check.IsZero() || s == nil || s.Check != nil {
					continue
				}
				if _, err := r.store.CheckService(ctx, r.holder(), v.Type, ""); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil || !sleep(ctx, r.o.Beat) {
			return
		}
		r.log.Debug().Err(err).Strs("types", types).Msg("whether an earlier check is still heeded is not known yet")
	}
}

// watchService asks one check at its pace, and tells the store what comes of it.
func (r *Runner) watchService(ctx context.Context, s *plan.Service) {
	var t tally
	var said time.Time
	var term int
	untold := false
	tick := time.NewTicker(s.Check.Interval)
	defer tick.Stop()
	for {
		err := r.ask(ctx, s.Check)
		if ctx.Err() != nil {
			return
		}
		untold = t.add(err == nil, s.Check.Fall, s.Check.Rise) || untold
		_, now := r.lease.until()
		if untold || t.unwell && err != nil && (time.Since(said) >= retellEvery || term != now) {
			why := ""
			if t.unwell && err != nil {
				why = err.Error()
			}
			if !t.unwell || err != nil { // one that rises tells nothing before it is well
				untold = !r.tellCheck(ctx, s, why)
				said, term = time.Now(), now
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tellCheck says how a service is; false if that has to be said again.
func (r *Runner) tellCheck(ctx context.Context, s *plan.Service, why string) bool {
	var heed store.Heed
	err := r.whenRegistered(ctx, func(ctx context.Context) (err error) {
		heed, err = r.store.CheckService(ctx, r.holder(), s.Type, why)
		return err
	})
	if err != nil {
		r.log.Debug().Err(err).Str("type", s.Type).Msg("the store is not told yet what the check says")
		return false
	}
	if r.heeded(s.Type, heed) {
		line := r.log.Warn()
		if heed == store.HeedWell {
			line = r.log.Info()
		}
		line.Str("type", s.Type).Str("state", string(heed)).Str("reason", why).Msg("check of a service")
	}
	return true
}

// heeded takes note of what comes of a check; true if that is news.
func (r *Runner) heeded(stype string, heed store.Heed) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, known := r.checks[stype]
	r.checks[stype] = heed
	return was != heed && (known || heed != store.HeedWell)
}

// whenRegistered calls the store once this life is known to it.
func (r *Runner) whenRegistered(ctx context.Context, f func(context.Context) error) error {
	select {
	case <-r.registered:
		return r.call(ctx, f)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask asks a check once; the error says what fails, in a few words.
func (r *Runner) ask(ctx context.Context, c *plan.Check) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if len(c.Command) > 0 {
		argv, err := c.Command.Resolve(r.o.Lookup)
		if err != nil {
			return err
		}
		return askCommand(ctx, argv, c)
	}
	if c.HTTP.String() != "" {
		text, err := c.HTTP.Resolve(r.o.Lookup)
		if err != nil {
			return err
		}
		return probe.HTTP(ctx, text)
	}
	text, err := c.TCP.Resolve(r.o.Lookup)
	if err != nil {
		return err
	}
	return probe.TCP(ctx, text)
}

// askCommand runs a check's command, and ends all that is in its group with it.
func askCommand(ctx context.Context, argv []string, c *plan.Check) error {
	name := filepath.Base(argv[0])
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = program.Inherited(), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	// The kernel ties Pdeathsig to the thread that forks.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	done := func(err error) error { return err }
	if c.Confine.Confines() {
		passage, err := c.Confine.Passage()
		if err != nil {
			return fmt.Errorf("command %s: %w", name, err)
		}
		done = passage.Wrap(cmd)
	}
	err := done(orphans.Run(cmd))
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // ESRCH: it left nothing in the background
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("command %s: not done within %v", name, c.Timeout)
	case errors.As(err, &exit):
		return fmt.Errorf("command %s: %v", name, exit)
	case err != nil:
		return fmt.Errorf("command %s: %w", name, program.Explain(cmd.Path, err))
	}
	return nil
}
