package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"stream-api/internal/legible"
	"stream-api/internal/probe"
	"stream-api/internal/regular"
)

// Ready says how it is found out that a child's output is there: one of five kinds, asked every Interval from the child's
// start on until it succeeds, once. A child of which it does not within Timeout is ended, and has failed.
type Ready struct {
	HTTP     string   `json:"http,omitempty"`     // a URL that answers with 2xx
	TCP      string   `json:"tcp,omitempty"`      // HOST:PORT at which somebody listens
	Command  []string `json:"command,omitempty"`  // that ends with code 0; it has the child's environment
	File     string   `json:"file,omitempty"`     // written since the child was started; below its working directory if relative
	Progress bool     `json:"progress,omitempty"` // ffmpeg's first block with output in it

	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
}

// probeLimit bounds one probe, so that one that hangs is not the only one.
const probeLimit = 5 * time.Second

// unreadyEvery is how often it is told why a child is not ready yet, if that changes all the time.
const unreadyEvery = 5 * time.Second

// Check reports what is wrong with it.
func (r *Ready) Check() error {
	if r == nil {
		return nil
	}
	kinds := 0
	for _, given := range []bool{r.HTTP != "", r.TCP != "", len(r.Command) > 0, r.File != "", r.Progress} {
		if given {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return errors.New("ready: one of http, tcp, command, file, progress is needed")
	case r.Interval <= 0 || r.Timeout <= 0:
		return errors.New("ready: an interval and a timeout are needed")
	case r.HTTP != "":
		if err := probe.CheckURL(r.HTTP); err != nil {
			return fmt.Errorf("ready: http: %w", err)
		}
	case r.TCP != "":
		if err := probe.CheckAddress(r.TCP); err != nil {
			return fmt.Errorf("ready: tcp: %w", err)
		}
	}
	if text := r.File + strings.Join(r.Command, ""); strings.ContainsRune(text, 0) {
		return errors.New("ready: a NUL in it")
	}
	return nil
}

// String is the kind, and what it asks.
func (r *Ready) String() string {
	switch {
	case r.HTTP != "":
		return "http " + r.HTTP
	case r.TCP != "":
		return "tcp " + r.TCP
	case r.File != "":
		return "file " + r.File
	case r.Progress:
		return "progress"
	}
	return "command " + strings.Join(r.Command, " ")
}

// readying finds out whether one child is ready. It is of the walking goroutine alone, which waits on its channels; a probe
// under way has a goroutine of its own, and one that is a process ends with the child's tree.
type readying struct {
	l      *life
	spec   Spec
	before os.FileInfo // what lay at File when the child was started

	due    *time.Timer // the next probe
	late   *time.Timer // the timeout; it stands still while the publisher is away
	under  bool        // a probe is under way
	answer chan error  // of it
	cancel context.CancelFunc

	spent time.Duration // of the timeout
	since time.Time     // up to when that was reckoned
	told  time.Time     // when it was last told why
	why   string        // what was told
}

// newReadying takes down what there is before the child is started; nil if nothing is probed.
func (l *life) newReadying(spec Spec) *readying {
	if spec.Ready == nil {
		return nil
	}
	r := &readying{l: l, spec: spec, answer: make(chan error, 1)}
	if spec.Ready.File != "" {
		r.before, _ = r.stat() // an error is the first probe's
	}
	return r
}

// begin begins to probe; the child has been started.
func (r *readying) begin() {
	if r == nil {
		return
	}
	r.since = time.Now()
	r.due, r.late = time.NewTimer(0), time.NewTimer(r.spec.Ready.Timeout)
}

// end ends it when the child's tree is gone, and with it a command that was under way. What asks the network or a file
// ends by itself.
func (r *readying) end() {
	if r == nil {
		return
	}
	r.due.Stop()
	r.late.Stop()
	if !r.under {
		return
	}
	r.cancel()
	if len(r.spec.Ready.Command) > 0 {
		<-r.answer
	}
}

// waits gives what the walking goroutine waits for; nothing once the child is ready.
func (r *readying) waits() (due, late <-chan time.Time, answer <-chan error) {
	if r == nil || r.l.isReady() {
		return nil, nil, nil
	}
	r.reckon()
	return r.due.C, r.late.C, r.answer
}

// reckon counts the time in which the publisher was there.
func (r *readying) reckon() {
	now, away := time.Now(), r.l.isAway()
	stood := r.since.IsZero()
	if !stood {
		r.spent += now.Sub(r.since)
	}
	switch {
	case away:
		r.since = time.Time{}
		r.late.Stop()
	default:
		r.since = now
		if stood {
			r.late.Reset(max(r.spec.Ready.Timeout-r.spent, time.Millisecond))
		}
	}
}

// ask begins a probe.
func (r *readying) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
	r.cancel, r.under = cancel, true
	ready, answer := r.spec.Ready, r.answer
	later := func(f func() error) {
		go func() {
			defer cancel()
			answer <- f()
		}()
	}
	switch {
	case ready.HTTP != "":
		later(func() error { return probe.HTTP(ctx, ready.HTTP) })
	case ready.TCP != "":
		later(func() error { return probe.TCP(ctx, ready.TCP) })
	case ready.File != "":
		later(r.written)
	case ready.Progress:
		later(r.progressed)
	default:
		wait := r.command(ctx)
		later(wait)
	}
}

// heed takes in what a probe said; true if the child is ready now.
func (r *readying) heed(err error) bool {
	r.cancel()
	r.under = false
	if err == nil {
		r.l.becomeReady(fmt.Sprintf("%s after its start", (time.Since(r.l.startedAt())).Round(time.Millisecond)))
		return true
	}
	r.due.Reset(r.spec.Ready.Interval)
	text := r.l.journal.clean(legible.Line(legible.Cut(err.Error(), 300)))
	r.l.noteUnready(text)
	if text != r.why && time.Since(r.told) >= unreadyEvery {
		r.why, r.told = text, time.Now()
		r.l.journal.say("not ready yet: %s", text)
		r.l.emit(Event{Kind: EventUnready, Text: text})
	}
	return false
}

// overdue is why the child has failed.
func (r *readying) overdue() string {
	return fmt.Sprintf("not ready within %s: %s", r.spec.Ready.Timeout, r.l.unready())
}

// stat looks at File as the child would be let to.
func (r *readying) stat() (os.FileInfo, error) {
	path := r.spec.Ready.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.spec.Dir, dirWork, path)
	}
	return regular.Within(filePatience, path, func() (os.FileInfo, error) {
		if at, err := filepath.EvalSymlinks(path); err == nil {
			path = at
		}
		if place := r.spec.policy().Hiding(path, r.spec.mine()...); place != "" {
			return nil, fmt.Errorf("%s lies where confine hides the host's own files (%s)", r.spec.Ready.File, place)
		}
		return os.Stat(path)
	}, nil)
}

// written tells whether File was written since the child was started, and is not empty.
func (r *readying) written() error {
	now, err := r.stat()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("file %s: it is not there", r.spec.Ready.File)
	case err != nil:
		return err
	case r.before != nil && same(r.before, now):
		return fmt.Errorf("file %s: not written since the start", r.spec.Ready.File)
	case now.Mode().IsRegular() && now.Size() == 0:
		return fmt.Errorf("file %s: it is empty", r.spec.Ready.File)
	}
	return nil
}

// same tells whether nothing was done to a file between two looks.
func same(a, b os.FileInfo) bool {
	was, isStat := a.Sys().(*syscall.Stat_t)
	is, alsoStat := b.Sys().(*syscall.Stat_t)
	return isStat && alsoStat && was.Dev == is.Dev && was.Ino == is.Ino && was.Ctim == is.Ctim && was.Size == is.Size
}

// progressed tells whether ffmpeg has said since the child's start that it wrote something.
func (r *readying) progressed() error {
	_, state := r.l.snapshot()
	p := state.Progress
	if p == nil || p.At.Before(state.StartedAt) {
		return errors.New("progress: ffmpeg has said nothing; it needs -progress with the URL in " + EnvProgress)
	}
	if p.Frame == 0 && p.OutTime <= 0 {
		return errors.New("progress: ffmpeg has written nothing yet")
	}
	return nil
}

// command starts the command as a hook would be, and gives what waits for its end. What it leaves behind is killed.
func (r *readying) command(ctx context.Context) (wait func() error) {
	argv := r.spec.Ready.Command
	fails := func(err error) func() error {
		return func() error { return fmt.Errorf("command %s: %w", filepath.Base(argv[0]), err) }
	}
	out, err := newOutput(r.l.journal, [2]string{MarkHook, MarkHook}, func() {})
	if err != nil {
		return fails(err)
	}
	p, err := r.l.spawn(r.spec, argv, r.spec.environ(), out, false)
	out.started()
	if err != nil {
		out.drain()
		return fails(err)
	}
	return func() error {
		defer out.drain()
		select {
		case <-p.done:
		case <-ctx.Done():
		}
		late := !p.ended()
		r.l.tree.endSession(p.PID)
		switch {
		case late:
			return fails(fmt.Errorf("not done within %s", probeLimit))()
		case p.status.Signaled():
			return fails(fmt.Errorf("ended by %s", p.status.Signal()))()
		case p.status.ExitStatus() != 0:
			return fails(fmt.Errorf("exit code %d", p.status.ExitStatus()))()
		}
		return nil
	}
}

func (l *life) isReady() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.state.Ready.IsZero()
}

func (l *life) isAway() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Away
}

func (l *life) startedAt() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.StartedAt
}

func (l *life) unready() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Unready
}

// noteUnready keeps why the child is not ready.
func (l *life) noteUnready(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.Unready = why
}

// becomeReady says so, once for each start of the child.
func (l *life) becomeReady(text string) {
	l.change(func(s *State) { s.Ready, s.Unready = time.Now(), "" })
	l.journal.say("ready: %s", text)
	l.emit(Event{Kind: EventReady, Text: text})
	l.settle() // what probing took of the memory is given back
}
