package render

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stream-api/stream"
)

// desk is a job whose picture, command and clock the test has in its hands.
type desk struct {
	*Job
	t       *testing.T
	mu      sync.Mutex // of what is below, while a follower is at work
	picture stream.Status
	broken  error // of the source
	fails   error // of the command
	ran     []time.Time
	said    []string
	hints   chan struct{}
}

func (d *desk) Read(context.Context) (stream.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.picture, d.broken
}

func (d *desk) Hints() <-chan struct{} { return d.hints }

// with is how the test changes or reads what a follower at work does, too.
func (d *desk) with(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

func newDesk(t *testing.T, text string) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{t: t, picture: network(), hints: make(chan struct{}, 1)}
	d.Job = &Job{Template: filepath.Join(dir, "x.tmpl"), Output: filepath.Join(dir, "out.conf"), Source: d, Settle: time.Second, Env: os.Getenv, Now: time.Now}
	d.Say = func(format string, args ...any) {
		d.with(func() { d.said = append(d.said, fmt.Sprintf(format, args...)) })
	}
	d.Command = func(context.Context) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.ran = append(d.ran, time.Now())
		return d.fails
	}
	d.template(text)
	return d
}

func (d *desk) template(text string) {
	d.t.Helper()
	if err := os.WriteFile(d.Template, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// is checks what the file holds, and that nothing else was left beside it but the note that is due.
func (d *desk) is(want string, due bool) {
	d.t.Helper()
	if got, err := os.ReadFile(d.Output); err != nil || string(got) != want {
		d.t.Errorf("the file holds %q, %v; want %q", got, err, want)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(d.Output), ".*"))
	if err != nil {
		d.t.Fatal(err)
	}
	if due != (len(left) == 1) || len(left) > 1 {
		d.t.Errorf("beside it lies %v, and due is %v", left, due)
	}
}

func (d *desk) once(want string) {
	d.t.Helper()
	err := d.Once(d.t.Context())
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		d.t.Errorf("it says %v; want %q", err, want)
	}
}

const keys = `{{range .Streams}}{{.Key}} {{end}}`

func TestCommandRunsOnAChangeAloneAndUntilItSucceeds(t *testing.T) {
	t.Parallel()
	d := newDesk(t, keys)
	d.once("")
	d.once("")
	d.is("s2 s1 ", false)
	if len(d.ran) != 1 {
		t.Errorf("after two rounds and one change it ran %d times", len(d.ran))
	}
	d.picture.Streams, d.fails = nil, errors.New("exit status 1")
	d.once("the command failed, and is due until it does not: exit status 1")
	d.is("", true)
	d.once("exit status 1") // another life, say
	d.fails = nil
	d.once("")
	d.is("", false)
	d.once("")
	if len(d.ran) != 4 {
		t.Errorf("it ran %d times: once, twice in vain, once", len(d.ran))
	}
}

func TestWhateverGoesWrongLeavesTheFileAsItIs(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]struct {
		with func(*desk)
		says string
	}{
		"the store is away": {func(d *desk) { d.broken = errors.New("connection refused") }, "connection refused"},
		"it is on hold": {func(d *desk) {
			d.picture = stream.Status{Hold: &stream.HoldStatus{Told: stream.Because(stream.CodeFirstStart).Told()}}
		}, "on hold: "},
		"the template fails":      {func(d *desk) { d.template(`{{fail "no"}}`) }, "no: the template says fail"},
		"the template is none":    {func(d *desk) { d.template(`{{`) }, "nothing can be rendered"},
		"the template is gone":    {func(d *desk) { _ = os.Remove(d.Template) }, "nothing can be rendered"},
		"it fails half way":       {func(d *desk) { d.template(`half {{index .Streams 9}}`) }, "index"},
		"the directory is no one": {func(d *desk) { d.template(`new`); d.Output = filepath.Join(d.Output, "x") }, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, keys)
			path := d.Output
			d.once("")
			wrong.with(d)
			d.once(wrong.says)
			d.Output = path
			d.is("s2 s1 ", false)
			if len(d.ran) != 1 {
				t.Errorf("the command ran %d times", len(d.ran))
			}
		})
	}
}

func TestFileKeepsItsModeAndItsLink(t *testing.T) {
	t.Parallel()
	d := newDesk(t, "new")
	d.once("")
	mask := syscall.Umask(0o022)
	syscall.Umask(mask)
	info, err := os.Stat(d.Output)
	if err != nil || info.Mode().Perm() != 0o644&^os.FileMode(mask) {
		t.Errorf("a first file has the mode %v, %v", info.Mode(), err)
	}
	real := d.Output + ".real"
	if err := errors.Join(os.Rename(d.Output, real), os.Chmod(real, 0o640), os.Symlink(real, d.Output)); err != nil {
		t.Fatal(err)
	}
	d.template("newer")
	d.once("")
	d.is("newer", false)
	if info, err := os.Lstat(d.Output); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no more: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	for _, odd := range []func(string) error{func(p string) error { return os.Mkdir(p, 0o700) }, func(p string) error { return syscall.Mkfifo(p, 0o600) }, func(p string) error { return os.Symlink("nowhere", p) }} {
		_ = os.Remove(d.Output)
		if err := odd(d.Output); err != nil {
			t.Fatal(err)
		}
		if err := d.Once(t.Context()); err == nil {
			t.Error("what is no regular file was replaced")
		}
	}
}

func TestSerialGrowsWithAChangeAndStaysElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t, `{{serial}} `+keys)
	now := time.Unix(1_800_000_000, 0)
	d.Now = func() time.Time { return now }
	d.once("")
	d.is("1800000000 s2 s1 ", false)
	now = now.Add(time.Hour)
	d.once("")
	d.is("1800000000 s2 s1 ", false)
	d.picture.Streams = d.picture.Streams[:1]
	d.once("")
	d.is("1800003600 s2 ", false)
	now = now.Add(-2 * time.Hour) // a clock that was set back
	d.picture.Streams = nil
	d.once("")
	d.is("1800003601 ", false)
	if len(d.ran) != 3 {
		t.Errorf("the command ran %d times for three changes", len(d.ran))
	}
}

func TestFollowerRunsItsCommandOnceInSettleAndRetriesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, keys)
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error)
		go func() { over <- d.Follow(ctx) }()
		key := func(i int) {
			d.with(func() { d.picture.Streams = []stream.StreamStatus{{Key: fmt.Sprint(i)}} })
			select {
			case d.hints <- struct{}{}:
			default:
			}
			synctest.Wait()
		}
		synctest.Wait()
		for i := range 2000 { // twenty seconds, a hundred changes in each
			key(i)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		d.is("1999 ", false)
		synctest.Wait()
		if n := len(d.ran); n < 20 || n > 22 {
			t.Errorf("it ran %d times in 20 s", n)
		}
		for i := 1; i < len(d.ran); i++ {
			if between := d.ran[i].Sub(d.ran[i-1]); between < time.Second {
				t.Errorf("run %d came %v after the one before", i, between)
			}
		}
		// Without a hint it is late, and not lost.
		d.with(func() { d.picture.Streams = nil })
		time.Sleep(idle + time.Second)
		d.is("", false)

		d.with(func() { d.ran, d.fails = nil, errors.New("exit status 1") })
		key(1)
		time.Sleep(100 * time.Second)
		synctest.Wait()
		if n := len(d.ran); n < 5 || n > 8 {
			t.Errorf("a command that fails ran %d times in 100 s: %v", n, d.ran)
		}
		d.with(func() { d.fails = nil })
		time.Sleep(againMost + time.Second)
		synctest.Wait()
		d.is("1 ", false)
		n := len(d.ran)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(d.ran) != n {
			t.Error("it runs on after it succeeded")
		}
		said := strings.Join(d.said, "\n")
		if !strings.Contains(said, "exit status 1; again in 1s") || !strings.Contains(said, "the command succeeded") {
			t.Errorf("it said:\n%s", said)
		}

		d.with(func() { d.said, d.broken = nil, errors.New("connection refused") })
		time.Sleep(time.Minute)
		synctest.Wait()
		d.with(func() { d.broken = nil })
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []string{"connection refused; " + d.Output + " stays as it is", d.Output + " is kept up to date again"}; strings.Join(d.said, "\n") != strings.Join(want, "\n") {
			t.Errorf("of an outage it said:\n%s", strings.Join(d.said, "\n"))
		}
		cancel()
		if err := <-over; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

// torn reads a file again and again while write replaces it, and counts what begins with another number than it ends.
func torn(t *testing.T, path string, times int, write func(text []byte) error) (reads, torn int) {
	t.Helper()
	text := func(i int) []byte {
		return []byte(fmt.Sprintf("%06d", i) + strings.Repeat(".", 1<<20) + fmt.Sprintf("%06d", i))
	}
	if err := write(text(0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; i < times; i++ {
			if err := write(text(i)); err != nil {
				t.Error(err)
			}
		}
	}()
	for {
		select {
		case <-done:
			return reads, torn
		default:
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		reads++
		if len(got) != 1<<20+12 || string(got[:6]) != string(got[len(got)-6:]) {
			torn++
		}
	}
}

func TestNoReaderSeesHalfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x")
	reads, half := torn(t, path, 40, func(text []byte) error {
		file, err := look(path)
		if err != nil {
			return err
		}
		return file.replace(text, time.Now())
	})
	if half > 0 || reads < 10 {
		t.Errorf("%d of %d readers saw half a file", half, reads)
	}
	// The reader knows half a file when it sees one.
	if _, half := torn(t, path, 150, func(text []byte) error { return os.WriteFile(path, text, 0o600) }); half == 0 {
		t.Error("a file that is written in place was never seen half written: the reader above shows nothing")
	}
}
