package supervisor

import (
	"errors"
	"path/filepath"
	"sync"
	"time"
)

// saver keeps spec.json and state.json up to date. Like the log it has a goroutine of its own: a disk that stands still
// must delay neither a feed nor a deadline. Only the latest of each is written.
type saver struct {
	dir      string
	snapshot func() (Spec, State)
	handOver func() error // a changed environment
	warn     func(format string, a ...any)

	mu          sync.Mutex
	last        time.Time
	withSpec    bool
	withEnviron bool

	due      chan struct{}
	stop     chan struct{}
	finished chan struct{}
}

func newSaver(dir string, snapshot func() (Spec, State), handOver func() error, warn func(string, ...any)) *saver {
	return &saver{
		dir: dir, snapshot: snapshot, handOver: handOver, warn: warn,
		due: make(chan struct{}, 1), stop: make(chan struct{}), finished: make(chan struct{}),
	}
}

// state asks for the state to be written, spec for both.
func (s *saver) state() { s.ask(false, false) }
func (s *saver) spec()  { s.ask(true, false) }

// environ asks for both, and for a changed environment to be handed over: what cannot be written is tried again with the next.
func (s *saver) environ() { s.ask(true, true) }

func (s *saver) ask(withSpec, withEnviron bool) {
	s.mu.Lock()
	s.withSpec, s.withEnviron = s.withSpec || withSpec, s.withEnviron || withEnviron
	s.mu.Unlock()
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// nowAndThen asks for the state to be written if that was not done for a while.
func (s *saver) nowAndThen() {
	s.mu.Lock()
	old := time.Since(s.last) > 10*time.Second
	s.mu.Unlock()
	if old {
		s.state()
	}
}

func (s *saver) run() {
	defer close(s.finished)
	failed := false
	for last := false; !last; {
		select {
		case <-s.due:
		case <-s.stop:
			last = true
		}
		err := s.write()
		if err != nil && !failed {
			s.warn("state is not saved: %v", err)
		}
		failed = err != nil
	}
}

func (s *saver) write() error {
	s.mu.Lock()
	withSpec, withEnviron := s.withSpec, s.withEnviron
	s.withSpec, s.withEnviron, s.last = false, false, time.Now()
	s.mu.Unlock()
	var late error
	if withEnviron {
		if late = s.handOver(); late != nil {
			s.mu.Lock()
			s.withEnviron = true
			s.mu.Unlock()
		}
	}
	spec, state := s.snapshot()
	err := errors.Join(late, writeJSON(filepath.Join(s.dir, fileState), state))
	if withSpec {
		err = errors.Join(err, writeJSON(filepath.Join(s.dir, fileSpec), spec))
	}
	return err
}

// close writes a last time, and waits for that no longer than patience.
func (s *saver) close(patience time.Duration) {
	close(s.stop)
	pause := time.NewTimer(patience)
	defer pause.Stop()
	select {
	case <-s.finished:
	case <-pause.C:
	}
}
