package realrun

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"stream-api/stream"
	"strings"
	"sync"
	"testing"
	"time"
)

// childSocket is the variable that makes a test binary a child to observe.
const childSocket = "TEST_CHILD_SOCKET"

// Observer knows from outside which children live. Each child keeps a
// connection to it, which the kernel closes at the child's death however it
// dies, so that no clean-up of the program under test is trusted.
type Observer struct {
	Socket string

	mu    sync.Mutex
	lives []*Life
	open  map[net.Conn]bool
	wg    sync.WaitGroup
}

// Life is one child from its start to its death.
type Life struct {
	Stream, Slot, Host, Token string
	PID                       string
	Env                       string // value of TEST_CHILD_NOTE
	Start, End                time.Time
	Alive                     bool
}

// Observe starts an observer. Its goroutines (one that accepts, one a child)
// end with the test.
func Observe(t testing.TB) *Observer {
	t.Helper()
	dir, err := os.MkdirTemp("", "sa-obs-")
	if err != nil {
		t.Fatal(err)
	}
	o := &Observer{Socket: filepath.Join(dir, "s"), open: map[net.Conn]bool{}}
	l, err := net.Listen("unix", o.Socket)
	if err != nil {
		t.Fatal(err)
	}
	o.wg.Go(func() { o.accept(l) })
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the observer: %v", err)
		}
		o.mu.Lock()
		for c := range o.open {
			_ = c.Close() // a second close is no news
		}
		o.mu.Unlock()
		o.wg.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the observer's directory: %v", err)
		}
	})
	return o
}

func (o *Observer) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed by the test's end
		}
		o.mu.Lock()
		o.open[c] = true
		o.mu.Unlock()
		o.wg.Go(func() { o.watch(c) })
	}
}

func (o *Observer) watch(c net.Conn) {
	life := &Life{Start: time.Now(), Alive: true}
	in := bufio.NewReader(c)
	line, err := in.ReadString('\n')
	if err == nil {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) == 6 {
			life.Stream, life.Slot, life.Host, life.Token, life.PID, life.Env = f[0], f[1], f[2], f[3], f[4], f[5]
			o.mu.Lock()
			o.lives = append(o.lives, life)
			o.mu.Unlock()
			_, _ = io.Copy(io.Discard, in) // until the child is dead
		}
	}
	o.mu.Lock()
	life.End, life.Alive = time.Now(), false
	delete(o.open, c)
	o.mu.Unlock()
	_ = c.Close() // the other end is gone
}

// Lives are all lives seen so far, in order of their start.
func (o *Observer) Lives() []Life {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]Life, len(o.lives))
	for i, l := range o.lives {
		out[i] = *l
	}
	return out
}

// Alive are the children that live now.
func (o *Observer) Alive() []Life {
	return slices.DeleteFunc(o.Lives(), func(l Life) bool { return !l.Alive })
}

// Span is a stretch of time of one slot.
type Span struct {
	Stream, Slot string
	From, To     time.Time
	// Tokens of the children concerned.
	Tokens []string
}

// Length of the span.
func (s Span) Length() time.Duration { return s.To.Sub(s.From) }

func (s Span) String() string {
	return fmt.Sprintf("%s/%s %v (%s)", s.Stream, s.Slot, s.Length().Round(time.Millisecond), strings.Join(s.Tokens, ", "))
}

// slotName is of the slot, whichever its instance: two of one are children too many.
func slotName(l Life) string { return stream.Path(l.Stream, l.Slot) }

func bySlot(lives []Life, until time.Time) map[string][]Life {
	out := map[string][]Life{}
	for _, l := range lives {
		if l.Alive {
			l.End = until
		}
		out[slotName(l)] = append(out[slotName(l)], l)
	}
	return out
}

// resolution is how exactly the observer sees: a death is noted when the
// goroutine that waits for it gets to run, which may be after the next child
// of the slot has connected.
const resolution = 20 * time.Millisecond

// Doubles are the spans in which two children of one slot lived.
func (o *Observer) Doubles() []Span {
	var out []Span
	for _, lives := range bySlot(o.Lives(), time.Now()) {
		for i, a := range lives {
			for _, b := range lives[i+1:] {
				from, to := later(a.Start, b.Start), earlier(a.End, b.End)
				if to.Sub(from) > resolution {
					out = append(out, Span{Stream: a.Stream, Slot: a.Slot, From: from, To: to, Tokens: []string{a.Token, b.Token}})
				}
			}
		}
	}
	return out
}

// Gaps are the spans within [from, to] in which a slot that had lived before
// from had no child.
func (o *Observer) Gaps(from, to time.Time) []Span {
	var out []Span
	for _, lives := range bySlot(o.Lives(), time.Now()) {
		if lives[0].Start.After(from) {
			continue
		}
		end := from
		slices.SortFunc(lives, func(a, b Life) int { return a.Start.Compare(b.Start) })
		for _, l := range lives {
			if l.End.Before(from) {
				continue
			}
			if l.Start.After(end) && end.Before(to) {
				out = append(out, Span{Stream: l.Stream, Slot: l.Slot, From: end, To: earlier(l.Start, to), Tokens: []string{l.Token}})
			}
			end = later(end, l.End)
		}
		if end.Before(to) {
			out = append(out, Span{Stream: lives[0].Stream, Slot: lives[0].Slot, From: end, To: to})
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// ChildService is the YAML of an exec service whose child is this test binary,
// watched by o. The lines of extra are put below env, those of more beside
// plugin, both indented as they should be.
func (o *Observer) ChildService(name, extra, more string) string {
	return o.ChildPlugin(name, extra, "stop: {grace: 2s}", more)
}

// ChildPlugin is ChildService with further lines of the plugin, such as its
// hooks.
func (o *Observer) ChildPlugin(name, extra, plugin, more string) string {
	self, err := os.Executable()
	if err != nil {
		panic(err) // a running test binary has a path on Linux
	}
	return fmt.Sprintf("  %s:\n    plugin:\n      name: exec\n      path: %s\n%s      env:\n        %s: %s\n%s%s",
		name, self, indent(plugin, 6), childSocket, o.Socket, indent(extra, 8), indent(more, 4))
}

func indent(text string, n int) string {
	if text == "" {
		return ""
	}
	pad := strings.Repeat(" ", n)
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad) + "\n"
}
