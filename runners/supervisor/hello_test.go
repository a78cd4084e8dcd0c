package supervisor

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// keyAndTTL is what a hello of these tests has on the wire.
var keyAndTTL = fmt.Sprintf(`"key":%q,"ttl":%d`, testHello.Key, testHello.TTL)

// attacks are what a process of the child's user can write to the socket.
func attacks() []string {
	implant := `{"id":3,"op":"restart","change":{"path":"/bin/sh","args":["-c","exit 7"]}}`
	feed := fmt.Sprintf(`{"id":2,"op":"feed","deadline":%d}`, Now()+int64(23*time.Hour))
	var out []string
	for _, hello := range []string{
		``, `{"id":1,"op":"hello","major":1}`, `{"id":1,"op":"hello","major":1,"ttl":3600000000000}`,
		`{"id":1,"op":"hello","major":1,"key":"","ttl":3600000000000}`, `{"id":1,"op":"hello","major":1,"key":"a guess","ttl":3600000000000}`,
		fmt.Sprintf(`{"id":1,"op":"hello","major":1,"key":%q,"ttl":3600000000000}`, testHello.hash()), // what the spec says
		strings.Repeat("x", 100_000),
	} {
		for _, then := range []string{implant, feed, `{"id":4,"op":"end"}`, `{"id":4,"op":"stop"}`} {
			out = append(out, strings.TrimPrefix(hello+"\n"+then+"\n", "\n"))
		}
	}
	return out
}

// Who has not the key is refused, disturbs nobody, and the runner is told; and when the runner is gone nothing that such a
// one sends keeps the child beyond its deadline.
func TestWithoutTheKeyNobodyIsHeard(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	deadline := Now() + ms(4000)
	r.must(r.Go(t.Context(), deadline))
	pid := r.await(EventStarted).PID
	child, err := readStat(pid)
	r.must(err)
	for _, text := range attacks() {
		w := r.wire()
		_, _ = w.socket.Write([]byte(text)) // a line too long is cut off in the middle
		for w.in.Scan() {
			m, err := decodeMessage(w.in.Bytes())
			if err != nil || m.Reply == nil || !errors.Is(m.Reply.err(), ErrKey) && !errors.Is(m.Reply.err(), ErrRequest) {
				t.Errorf("%.100q was answered %s", text, w.in.Bytes())
			}
		}
	}
	if e := r.await(EventWarning); !strings.Contains(e.Text, "has not the slot's key") || !strings.Contains(e.Text, fmt.Sprintf("pid %d", unix.Getpid())) {
		t.Errorf("the runner is told %q", e.Text)
	}
	r.must(r.Client.Close()) // as kill -9 of the runner does
	for child.id().alive() {
		for _, text := range attacks() {
			if socket, err := net.Dial("unix", r.dir+"/"+fileSocket); err == nil {
				_, _ = socket.Write([]byte(text))
				_ = socket.Close()
			}
		}
		if late := time.Duration(Now() - deadline); late > 20*time.Second {
			t.Fatalf("the child lives %v after its deadline", late)
		}
	}
	if state := awaitEnd(t, r.dir); state.End.Reason != EndDeadline || state.Attempts != 1 || state.Deadline != deadline {
		t.Errorf("%+v", state)
	}
}

// A runner cannot promise more than its lease lasts, neither at first nor later.
func TestNoDeadlineIsFurtherAheadThanTheTTLOfTheHello(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	if err := r.Go(t.Context(), Now()+int64(testHello.TTL)+ms(60_000)); !errors.Is(err, ErrDeadline) {
		t.Errorf("Go: %v", err)
	}
	deadline := Now() + ms(30_000)
	r.must(r.Go(t.Context(), deadline))
	r.await(EventStarted)
	r.must(r.Client.Close())
	c, err := Adopt(t.Context(), r.dir, Hello{Key: testHello.Key, TTL: 40 * time.Second})
	r.must(err)
	r.Client = c
	w := r.Client
	r.must(w.Feed(Now() + ms(60_000)))
	r.must(w.Feed(Now() + int64(23*time.Hour)))
	state, err := w.Status(t.Context()) // answered after them
	if err != nil || state.Deadline != deadline {
		t.Errorf("%+v, %v", state, err)
	}
	better := Now() + ms(35_000)
	r.must(w.Feed(better))
	until(t, "a good feed is taken", func() bool { return w.Fed() == better })
	for _, ttl := range []time.Duration{0, -time.Second, 25 * time.Hour} {
		if _, err := Adopt(t.Context(), r.dir, Hello{Key: testHello.Key, TTL: ttl}); !errors.Is(err, ErrRequest) {
			t.Errorf("a hello with a ttl of %v: %v", ttl, err)
		}
	}
}

// Connections that say nothing are bounded, and keep no runner out.
func TestStrangersKeepNoRunnerOut(t *testing.T) {
	t.Parallel()
	r := launch(t)
	r.await(EventStarted)
	const many = 10 * maxStrangers
	var cut atomic.Int64
	for range many {
		socket, err := net.Dial("unix", r.dir+"/"+fileSocket)
		r.must(err)
		t.Cleanup(func() { _ = socket.Close() })
		go func() {
			_, _ = socket.Read(make([]byte, 1)) // it says nothing, and is told nothing
			cut.Add(1)
		}()
	}
	// Much sooner than for saying nothing.
	until(t, "those that are too many are cut", func() bool { return cut.Load() >= many-maxStrangers })
	if n := cut.Load(); n == many {
		t.Errorf("all %d are cut", n)
	}
	r.adopt()
	r.must(r.Kick(t.Context()))
}

func TestALostKeyEndsItsChildGently(t *testing.T) {
	t.Parallel()
	r := launch(t, shell("trap 'echo > $NOTES/asked; exit 0' TERM; echo > $NOTES/up; while :; do sleep 0.05; done"))
	r.note("up")
	r.must(Terminate(r.dir))
	if done := r.await(EventDone); done.End.Reason != EndSignal || !r.noted("asked") {
		t.Errorf("%+v", done.End)
	}
}
