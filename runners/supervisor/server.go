package supervisor

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// server speaks the protocol with one runner at a time: the one that said hello last.
type server struct {
	listener *net.UnixListener
	life     *life
	guard    *guard
	saver    *saver

	mu       sync.Mutex
	runner   *conn
	progress time.Time // when it was last told

	strangers   []*conn // that have not said hello; the oldest first
	refused     int     // hellos without the key since that was last told
	toldRefused time.Time
}

func listen(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, fileSocket)
	if err := removeSocket(path); err != nil { // the lock says that nobody listens there
		return nil, err
	}
	return net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
}

// run accepts until the listener is closed.
func (s *server) run() {
	for {
		socket, err := s.listener.AcceptUnix()
		if err != nil {
			return
		}
		c := newConn(socket)
		s.receive(c)
		go s.serve(c, socket)
	}
}

// serve reads one connection to its end.
func (s *server) serve(c *conn, socket *net.UnixConn) {
	head := bufio.NewReaderSize(socket, maxHello)
	if !s.greet(c, head, socket) {
		return
	}
	in := bufio.NewScanner(head)
	in.Buffer(make([]byte, 0, 1024), maxMessage)
	for in.Scan() {
		// The deadline we have is looked at before anything new is read from what may have waited in the socket while
		// this process stood still.
		s.guard.over()
		r, err := decodeRequest(in.Bytes())
		if err != nil {
			c.send(message{Reply: refusal(r.ID, err)})
			continue
		}
		c.send(message{Reply: s.answer(c, r)})
	}
	c.finish()
	s.mu.Lock()
	mine := s.runner == c
	if mine {
		s.runner = nil
	}
	s.mu.Unlock()
	if mine {
		s.life.wish(func(w *wishes) { w.lost = true })
	}
}

// emit tells the runner, if there is one. It never waits.
func (s *server) emit(e Event) {
	e.At = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind == EventProgress {
		if e.At.Sub(s.progress) < progressEvery-100*time.Millisecond {
			return
		}
		s.progress = e.At
	}
	if s.runner != nil {
		s.runner.send(message{Event: &e})
	}
}

// watched reports whether a runner is connected at this moment.
func (s *server) watched() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runner != nil && s.runner.open()
}

// answer does what r asks for.
func (s *server) answer(c *conn, r request) *reply {
	s.mu.Lock() // to the end, so that nothing of a replaced runner is done after the other's hello
	defer s.mu.Unlock()
	if s.runner != c {
		return refusal(r.ID, ErrReplaced)
	}
	done := &reply{ID: r.ID}
	if err := s.do(c, r, done); err != nil {
		done = refusal(r.ID, err)
	}
	if r.Op == opGo || r.Op == opFeed {
		done.Deadline = s.guard.deadline()
	}
	return done
}

func (s *server) do(c *conn, r request, done *reply) error {
	switch r.Op {
	case opGo:
		if _, over := s.life.over(); over {
			return ErrEnding
		}
		if err := s.guard.begin(r.Deadline, c.ttl); err != nil {
			return err
		}
		s.life.wish(func(w *wishes) { w.ready = true })
	case opFeed:
		s.saver.nowAndThen()
		return s.guard.feed(r.Deadline, c.ttl)
	case opStop:
		s.life.wishEnd(endGently, EndStopped)
	case opEnd:
		s.life.wishEnd(endNow, EndKilled)
	case opRestart:
		return s.restart(*r.Change)
	case opChange:
		return s.change(*r.Change, r.Signal)
	case opKick:
		s.life.wish(func(w *wishes) { w.kick = true })
	case opAway:
		s.life.change(func(st *State) { st.Away = r.Away })
		s.life.wish(func(*wishes) {}) // the time in which it must be ready stands still, or goes on
	case opPace:
		s.life.change(func(st *State) { st.Pace = r.Pace })
	case opStatus:
		_, state := s.life.snapshot()
		done.State = &state
	case opHello:
		return fmt.Errorf("%w: a second hello", ErrRequest)
	}
	return nil
}

func (s *server) restart(wanted Exec) error {
	next, err := s.next(wanted)
	if err != nil {
		return err
	}
	s.life.wish(func(w *wishes) {
		s.life.spec = next
		w.restart = true
	})
	s.saver.spec()
	return nil
}

func (s *server) change(wanted Exec, signal string) error {
	next, err := s.next(wanted)
	if err != nil {
		return err
	}
	s.life.changes(next, signal)
	return nil
}

// next is the spec with something else to run.
func (s *server) next(wanted Exec) (Spec, error) {
	if _, over := s.life.over(); over {
		return Spec{}, ErrEnding
	}
	next := s.life.currentSpec()
	next.Exec = wanted
	if err := next.complete(); err != nil {
		return Spec{}, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	return next, nil
}

// finish takes leave of the runner and waits, no longer than patience, until it has been told everything.
func (s *server) finish(patience time.Duration) {
	_ = s.listener.Close() // removes the socket; nobody can do anything about an error here
	s.mu.Lock()
	c := s.runner
	s.runner = nil
	s.mu.Unlock()
	if c == nil {
		return
	}
	c.finish()
	pause := time.NewTimer(patience)
	defer pause.Stop()
	select {
	case <-c.written:
	case <-pause.C:
	}
}
