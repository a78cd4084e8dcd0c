package plan

import (
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// Effect is what a change does to a running child.
type Effect int

// The effects.
const (
	Unknown  Effect = iota // it cannot be told now
	Stays                  // a start would be the same
	Stale                  // it would differ, and that is no reason to restart
	Restarts               // it would differ because of the stream
	Tells                  // the same, and the child is told instead
)

// Change is what Weigh finds.
type Change struct {
	Do  Effect
	Why stream.Reason   // of a restart, or of what the child is told
	To  supervisor.Exec // what is to run after the next start
	// Signal is sent to a child that is told; empty: it reads the new values by itself.
	Signal string
}

// Weigh compares what runs with what would be started now. before are the values
// it was started with.
func (s *Service) Weigh(at Subject, runs supervisor.Exec, before, now Values, here stream.Lookup) Change {
	if s.anew(before, now) {
		if wanted, err := s.Child(at, now, here); err == nil {
			return Change{Do: Restarts, Why: stream.Because(stream.CodeNewSession), To: wanted}
		}
	}
	considered, how := now, s.OnChange
	switch onSource := s.onSource(); {
	case onSource == how.Do || onSource == Restart && how.Do == "":
	case onSource == Ignore:
		considered = now.from(before)
	case s.differs(at, now, now.from(before), here):
		how = OnChange{Do: Restart}
	}
	wanted, err := s.Child(at, considered, here)
	if err != nil {
		return Change{Do: Unknown}
	}
	if runs.Same(wanted) {
		if full, err := s.Child(at, now, here); err == nil && !runs.Same(full) {
			return Change{Do: Stale} // the source's change is passed over
		}
		return Change{Do: Stays}
	}
	then, err := s.Child(at, before, here)
	if err == nil && then.Same(wanted) {
		return Change{Do: Stale} // the file or a secret changed, the stream did not
	}
	c := Change{Do: Restarts, Why: stream.Because(stream.CodeVarsChanged), To: wanted}
	if how.Do == Ignore || how.Do == Signal {
		c.Do, c.Signal = Tells, how.Signal
	}
	return c
}

// differs tells whether what would run is another with these values than with those.
func (s *Service) differs(at Subject, these, those Values, here stream.Lookup) bool {
	a, err := s.Child(at, these, here)
	if err != nil {
		return false
	}
	b, err := s.Child(at, those, here)
	return err == nil && !a.Same(b)
}

// anew tells whether the publisher began anew and the child has to, too.
func (s *Service) anew(before, now Values) bool {
	return s.OnNewSession == Restart && before.Session != "" && now.Session != "" && before.Session != now.Session
}
