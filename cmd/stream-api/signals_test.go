package main

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

// TestNoSignalIsLostOrCallsALeavingHostBack names the order each signal gives;
// "good" and "bad" are what the look at the changed file found.
func TestNoSignalIsLostOrCallsALeavingHostBack(t *testing.T) {
	t.Parallel()
	const hup, usr1, term = "HUP", "USR1", "TERM"
	for _, c := range []struct {
		what    string
		heard   []string
		want    []order
		program string
		tooLate bool
	}{
		{"reload", []string{hup, "good"}, []order{orderCheck, orderDetach}, "new", false},
		{"a bad file", []string{hup, "bad"}, []order{orderCheck, orderNothing}, "", false},
		{"a bad file that was mended meanwhile", []string{hup, hup, "bad", "good"}, []order{orderCheck, orderNothing, orderCheck, orderDetach}, "new", false},
		{"TERM, then all else", []string{term, hup, usr1, term}, []order{orderLeave, orderNothing, orderNothing, orderLeave}, "", false},
		{"TERM during the check", []string{hup, term, "good"}, []order{orderCheck, orderLeave, orderNothing}, "", false},
		{"TERM after a reload", []string{hup, "good", term, usr1, hup}, []order{orderCheck, orderDetach, orderNothing, orderNothing, orderNothing}, "new", true},
		{"TERM after USR1", []string{usr1, term}, []order{orderDetach, orderNothing}, "", true},
		{"USR1 after a reload", []string{hup, "good", usr1}, []order{orderCheck, orderDetach, orderNothing}, "", false},
		{"USR1 during the check", []string{hup, usr1, "good"}, []order{orderCheck, orderDetach, orderNothing}, "", false},
	} {
		s := &signals{}
		var got []order
		for _, heard := range c.heard {
			switch heard {
			case "good":
				got = append(got, s.checked("new"))
			case "bad":
				got = append(got, s.checked(""))
			default:
				got = append(got, s.take(map[string]os.Signal{hup: syscall.SIGHUP, usr1: syscall.SIGUSR1, term: syscall.SIGTERM}[heard]))
			}
		}
		if !slices.Equal(got, c.want) || s.program != c.program || s.tooLate() != c.tooLate {
			t.Errorf("%s: orders %v, program %q, too late %v; want %v, %q, %v", c.what, got, s.program, s.tooLate(), c.want, c.program, c.tooLate)
		}
	}
}

func TestWhatALifeInheritsIsSaidOnce(t *testing.T) {
	for text, want := range map[string]int{"2": 2, "nonsense": 1, "-1": 1} {
		t.Setenv(leaveVariable, text)
		if n, err := inherit(); err != nil || n != want {
			t.Errorf("%q: to leave %d times, %v; want %d", text, n, err, want)
		}
		if n, err := inherit(); err != nil || n != 0 {
			t.Errorf("%q read again: to leave %d times, %v; want none", text, n, err)
		}
	}
}
