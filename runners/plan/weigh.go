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
)

// Change is what Weigh finds.
type Change struct {
	Do  Effect
	Why stream.Reason   // of a restart
	To  supervisor.Exec // what is to run after a restart
}

// Weigh compares what runs with what would be started now. before are the values
// it was started with.
func (s *Service) Weigh(at Subject, runs supervisor.Exec, before, now Values, here stream.Lookup) Change {
	if s.anew(before, now) {
		if wanted, err := s.Exec.Resolve(at, now, here); err == nil {
			return Change{Restarts, stream.Because(stream.CodeNewSession), wanted}
		}
	}
	considered := now
	if s.OnSourceChange == Ignore {
		considered = now.from(before)
	}
	wanted, err := s.Exec.Resolve(at, considered, here)
	if err != nil {
		return Change{Do: Unknown}
	}
	if runs.Same(wanted) {
		if full, err := s.Exec.Resolve(at, now, here); err == nil && !runs.Same(full) {
			return Change{Do: Stale} // the source's change is passed over
		}
		return Change{Do: Stays}
	}
	then, err := s.Exec.Resolve(at, before, here)
	if err == nil && then.Same(wanted) {
		return Change{Do: Stale} // the file or a secret changed, the stream did not
	}
	return Change{Restarts, stream.Because(stream.CodeVarsChanged), wanted}
}

// anew tells whether the publisher began anew and the child has to, too.
func (s *Service) anew(before, now Values) bool {
	return s.OnNewSession == Restart && before.Session != "" && now.Session != "" && before.Session != now.Session
}
