package main

import (
	"os"
	"strconv"
	"syscall"
)

// signals has what this process was told to do. A host that leaves is not
// called back, and a TERM that comes too late for this life is left to the
// next one.
type signals struct {
	leaving  int    // how often TERM or INT came
	detached bool   // the children are being let go of, which cannot be undone
	checking bool   // a changed file is being looked at
	recheck  bool   // it may have changed again meanwhile
	program  string // to become after this life; empty: none
}

// order is what a signal has the process do.
type order int

const (
	orderNothing order = iota
	orderCheck         // the changed file
	orderDetach
	orderLeave
)

// take takes a signal in.
func (s *signals) take(sig os.Signal) order {
	switch sig {
	case syscall.SIGHUP:
		switch {
		case s.leaving > 0 || s.detached:
			return orderNothing
		case s.checking:
			s.recheck = true
			return orderNothing
		}
		s.checking = true
		return orderCheck
	case syscall.SIGUSR1:
		if s.leaving > 0 {
			return orderNothing
		}
		s.program = "" // after a HUP: the process is to end
		if s.detached {
			return orderNothing
		}
		s.detached = true
		return orderDetach
	}
	s.leaving++
	if s.detached {
		return orderNothing // left to the next life
	}
	return orderLeave
}

// checked takes in what the look at the changed file gave: the program to
// become, or an empty one.
func (s *signals) checked(program string) order {
	again := s.recheck
	s.checking, s.recheck = false, false
	switch {
	case s.leaving > 0 || s.detached:
		return orderNothing
	case program != "":
		s.detached, s.program = true, program
		return orderDetach
	case again:
		s.checking = true
		return orderCheck
	}
	return orderNothing
}

// tooLate tells whether TERM came when this life had let go of its children
// already.
func (s *signals) tooLate() bool { return s.detached && s.leaving > 0 }

// leaveVariable tells a life how often the one before was told to leave when
// it could not any more.
const leaveVariable = "STREAM_API_LEAVE"

// inherit reads what the life before left to do. It is said once.
func inherit() (leaving int, err error) {
	text, ok := os.LookupEnv(leaveVariable)
	if !ok {
		return 0, nil
	}
	if err := os.Unsetenv(leaveVariable); err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 1, nil // set by hand: whatever it says, it is a word to leave
	}
	return n, nil
}
