package supervisor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wire is a runner that speaks the protocol by hand.
type wire struct {
	t      *testing.T
	socket *net.UnixConn
	in     *bufio.Scanner
}

func (r *rig) wire() *wire {
	r.t.Helper()
	socket, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(r.dir, fileSocket), Net: "unix"})
	r.must(err)
	r.t.Cleanup(func() { _ = socket.Close() })
	r.must(socket.SetDeadline(time.Now().Add(10 * time.Second)))
	in := bufio.NewScanner(socket)
	in.Buffer(nil, maxMessage)
	return &wire{t: r.t, socket: socket, in: in}
}

func (w *wire) say(line string) {
	w.t.Helper()
	if _, err := w.socket.Write([]byte(line + "\n")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) hear() message {
	w.t.Helper()
	if !w.in.Scan() {
		w.t.Fatalf("the connection is over: %v", w.in.Err())
	}
	m, err := decodeMessage(w.in.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func TestAnotherMajorVersionIsRefusedClearly(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	w := r.wire()
	w.say(`{"id":1,"op":"hello","major":2}`)
	m := w.hear()
	if m.Reply == nil || !errors.Is(m.Reply.err(), ErrVersion) || !strings.Contains(m.Reply.Text, "speaks 2.0") {
		t.Errorf("%+v", m.Reply)
	}
	if w.in.Scan() {
		t.Errorf("the connection goes on: %s", w.in.Text())
	}
	// The one that is connected was not disturbed.
	if err := r.Go(t.Context(), Now()+ms(20000)); err != nil {
		t.Error(err)
	}
}

func TestARunnerRefusesASupervisorOfAnotherVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		socket, err := l.AcceptUnix()
		if err != nil {
			return
		}
		_, _ = bufio.NewReader(socket).ReadString('\n')
		_, _ = socket.Write([]byte(`{"hello":{"major":3,"minor":1,"spec":{"dir":"/x","news":1},"state":{}}}` + "\n"))
		_ = socket.Close()
	}()
	if _, err := Adopt(t.Context(), dir, testHello); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "3.1") {
		t.Errorf("%v", err)
	}
}

func TestNonsenseIsAnsweredAndHarmsNothing(t *testing.T) {
	t.Parallel()
	r := launch(t)
	pid := r.await(EventStarted).PID
	w := r.wire()
	w.say(`{"id":1,"op":"hello","major":1,"minor":99,"colour":"blue",` + keyAndTTL + `}`)
	if m := w.hear(); m.Hello == nil || m.Hello.State.Child.PID != pid {
		t.Fatalf("%+v", m)
	}
	for _, line := range []string{
		`{`, `null`, `[]`, `{"id":7,"op":"explode"}`, `{"op":"feed"}`, `{"op":"feed","deadline":"soon"}`, `{"op":"go","deadline":-1}`,
		`{"op":"hello","major":1}`, `{"op":"pace","pace":-1}`, `{"op":"restart","change":{"stop":{"signal":"SEGV"}}}`, "\x00\xff",
	} {
		w.say(line)
		if m := w.hear(); m.Reply == nil || !errors.Is(m.Reply.err(), ErrRequest) {
			t.Errorf("%q was answered %+v", line, m.Reply)
		}
	}
	w.say(`{"id":9,"op":"status"}`)
	if m := w.hear(); m.Reply == nil || m.Reply.ID != 9 || m.Reply.State == nil || m.Reply.State.Child.PID != pid {
		t.Errorf("status: %+v", m.Reply)
	}
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("the child: %v", err)
	}
}

func TestTheLaterRunnerHasTheChild(t *testing.T) {
	t.Parallel()
	r := launch(t)
	pid := r.await(EventStarted).PID
	old := r.Client
	r.adopt()
	<-old.Done()
	if !errors.Is(old.Err(), ErrReplaced) {
		t.Errorf("the earlier runner ended with %v", old.Err())
	}
	if err := old.Go(t.Context(), Now()+ms(1000)); !errors.Is(err, ErrReplaced) {
		t.Errorf("its Go: %v", err)
	}
	if _, err := old.Stop(t.Context()); !errors.Is(err, ErrReplaced) {
		t.Errorf("its Stop: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	if state, err := r.Status(t.Context()); err != nil || state.Child.PID != pid || state.Phase != PhaseRunning {
		t.Errorf("%+v, %v", state, err)
	}
}

// Also what a replaced runner sent before it learnt of that is not done.
func TestNothingOfAReplacedRunnerIsDone(t *testing.T) {
	t.Parallel()
	g, err := newGuard()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{guard: g, runner: &conn{}, life: &life{guard: g, wake: make(chan struct{}, 1)}}
	for _, r := range []request{{Op: opGo, Deadline: Now() + ms(1000)}, {Op: opStop}, {Op: opFeed, Deadline: Now() + ms(1000)}} {
		if got := s.answer(&conn{}, r); !errors.Is(got.err(), ErrReplaced) {
			t.Errorf("%s: %+v", r.Op, got)
		}
	}
	if g.deadline() != 0 || s.life.wished() != (wishes{}) {
		t.Errorf("deadline %d, wishes %+v", g.deadline(), s.life.wished())
	}
	if err := g.alarm.file.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnAdopterGetsTheFullStateFirst(t *testing.T) {
	t.Parallel()
	r := launch(t, shell(`echo url=http://x/1 > "$STREAM_API_VARS"; exec sleep 1000`))
	r.await(EventVars)
	r.must(r.SetAway(t.Context(), true))
	r.must(r.SetPace(t.Context(), time.Second))
	want, err := r.Status(t.Context())
	r.must(err)
	r.must(r.Close())
	r.adopt()
	got := r.State()
	if !reflect.DeepEqual(got.Vars, map[string]string{"url": "http://x/1"}) || !got.Away || got.Pace != time.Second ||
		got.Child != want.Child || got.Deadline != want.Deadline || got.Attempts != 1 || got.Phase != PhaseRunning {
		t.Errorf("%+v, wanted %+v", got, want)
	}
}

// A runner that reads nothing is cut off in the end; whoever tells it something never waits.
func TestASlowRunnerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	l, err := listen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	slow, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slow.Close() }()
	socket, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(socket)
	text := strings.Repeat("x", 1000)
	began := time.Now()
	for range 3000 {
		c.send(message{Event: &Event{Kind: EventWarning, Text: text}})
		c.send(message{Event: &Event{Kind: EventProgress, Text: text}})
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("sending took %s", took)
	}
	<-c.written
	if c.open() {
		t.Error("it was not cut off")
	}
}

func TestProgressIsKeptOnlyOnce(t *testing.T) {
	t.Parallel()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = theirs.Close() }()
	c := &conn{socket: ours, more: make(chan struct{}, 1), written: make(chan struct{})}
	for i := range 1000 {
		c.send(message{Event: &Event{Kind: EventProgress, Attempt: i}})
	}
	c.send(message{Event: &Event{Kind: EventStarted}})
	c.finish()
	go c.write()
	in := bufio.NewScanner(theirs)
	var got []Event
	for in.Scan() {
		m, err := decodeMessage(in.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, *m.Event)
	}
	if len(got) != 2 || got[0].Kind != EventStarted || got[1].Attempt != 999 {
		t.Errorf("%+v", got)
	}
}

func socketPair() (*net.UnixConn, *net.UnixConn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1], nil
}

// What a runner sent before it went is still to be read; that it went is known before.
func TestAConnectionThatWasLeftIsKnownBeforeItIsRead(t *testing.T) {
	t.Parallel()
	ours, theirs, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ours.Close() }()
	c := &conn{socket: ours}
	if !c.open() {
		t.Error("taken for left")
	}
	if _, err := theirs.Write([]byte(`{"op":"go"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	if c.open() {
		t.Error("taken for open")
	}
}

func TestErrorsCrossTheSocket(t *testing.T) {
	t.Parallel()
	for _, want := range codes {
		if got := refusal(1, want).err(); !errors.Is(got, want) || got.Error() != want.Error() {
			t.Errorf("%v came out as %v", want, got)
		}
		wrapped := fmt.Errorf("more: %w", want)
		if got := refusal(1, wrapped).err(); !errors.Is(got, want) || !strings.Contains(got.Error(), "more") {
			t.Errorf("%v came out as %v", wrapped, got)
		}
	}
	if err := refusal(1, errors.New("disk")).err(); err == nil || err.Error() != "disk" {
		t.Errorf("%v", err)
	}
	if err := (&reply{}).err(); err != nil {
		t.Errorf("%v", err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, line := range []string{
		`{"id":1,"op":"hello","major":1}`, `{"op":"feed","deadline":9223372036854775807}`, `{"op":"restart","change":{"env":["A=b"],"copy":{"x":[]}}}`,
		`{"op":"copy","copy":null}`, `{"op":"pace","pace":1e400}`, `{"op":"go","deadline":0}`, ``, `[[[[`, "{\"op\":\"\xff\"}",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := decodeRequest(line)
		if err != nil {
			if !errors.Is(err, ErrRequest) {
				t.Errorf("error of an unknown kind: %v", err)
			}
			return
		}
		if (r.Op == opGo || r.Op == opFeed) && r.Deadline <= 0 || r.Op == opRestart && r.Change == nil || r.Pace < 0 && r.Op == opPace {
			t.Errorf("let through: %+v", r)
		}
		again, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(again, '\n') != len(again)-1 {
			t.Errorf("more than one line: %q", again)
		}
		if _, err := decodeRequest(again); err != nil {
			t.Errorf("%q was understood, %q is not: %v", line, again, err)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	seed := []any{
		message{Hello: &greeting{Major: 1, State: State{Vars: map[string]string{"a": "b"}, Exit: &Exit{Stderr: []string{"x"}}}}},
		message{Reply: refusal(3, ErrLapsed)},
		message{Event: &Event{Kind: EventProgress, Progress: &Progress{Speed: 1.5}}},
	}
	for _, m := range seed {
		line, err := encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Add([]byte(`{"hello":{},"reply":{}}`))
	f.Add([]byte(`{"event":{"at":"x"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := decodeMessage(line)
		if err != nil {
			return
		}
		if m.Hello == nil && m.Reply == nil && m.Event == nil {
			t.Errorf("no part: %q", line)
		}
		again, err := encode(m)
		if err != nil {
			return // a time JSON can read and not write
		}
		if _, err := decodeMessage(again); err != nil {
			t.Errorf("%q was understood, %q is not: %v", line, again, err)
		}
		if m.Reply != nil {
			_ = m.Reply.err()
		}
	})
}

func TestAMessageTooLargeIsNotSent(t *testing.T) {
	t.Parallel()
	if _, err := encode(request{Key: strings.Repeat("x", maxMessage)}); err == nil {
		t.Error("it was")
	}
	if _, err := encode(message{Event: &Event{Progress: &Progress{Speed: math.Inf(1)}}}); err == nil {
		t.Error("an infinity was")
	}
}
