package supervisor

import (
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAChildIsHeldToItsLimits(t *testing.T) {
	t.Parallel()
	r := launch(t, func(s *Spec) {
		s.Path, s.Args = "sleep", []string{"1000"}
		s.Limits = Limits{Files: 99, FileSize: 2 << 20, Nice: 19}
	})
	pid := r.await(EventStarted).PID
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	r.must(err)
	for _, want := range []string{`Max open files +99 +99 `, `Max file size +2097152 +2097152 `} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// The system call gives 20 minus the nice value.
	if got, err := unix.Getpriority(unix.PRIO_PROCESS, pid); err != nil || 20-got != 19 {
		t.Errorf("its nice value is %d, %v", 20-got, err)
	}
	// Its supervisor is held to nothing.
	state, err := ReadState(r.dir)
	r.must(err)
	text, err = os.ReadFile(fmt.Sprintf("/proc/%d/limits", state.Supervisor.PID))
	r.must(err)
	if regexp.MustCompile(`Max open files +99`).Match(text) {
		t.Error("the supervisor is held to the child's limits")
	}
}

func TestAFileThatGrowsTooLongEndsItsChild(t *testing.T) {
	t.Parallel()
	r := launch(t, func(s *Spec) {
		s.Path, s.Args = "sh", []string{"-c", "sleep 1; exec head -c 3M /dev/zero > big"}
		s.Limits.FileSize = 1 << 20
	})
	e := r.await(EventExited)
	if e.Exit == nil || e.Exit.Signal != "SIGXFSZ" {
		t.Errorf("it ended with %+v", e.Exit)
	}
}

func TestOtherLimitsAreADifferenceAndOtherRulesAreNone(t *testing.T) {
	t.Parallel()
	a := Exec{Path: "x", Rules: Rules{Limits: Limits{Files: 100}}}
	b := a
	b.Stall = time.Minute
	if !a.Same(b) {
		t.Error("another stall is a difference")
	}
	b.Limits.Files = 101
	if a.Same(b) || b.Same(a) {
		t.Error("another limit is none")
	}
}

func TestALimitThatCannotBeHadIsNamed(t *testing.T) {
	t.Parallel()
	err := Limits{Files: 1 << 40}.hold(os.Getpid()) // more than any kernel gives
	if err == nil || !regexp.MustCompile(`limits\.files: `).MatchString(err.Error()) {
		t.Errorf("%v", err)
	}
}

func TestSizesAreWrittenAsTheFileDoes(t *testing.T) {
	t.Parallel()
	for size, want := range map[Size]string{1 << 20: "1MiB", 3 << 29: "1536MiB", 4 << 40: "4TiB", 1000: "1000B", 0: "0B"} {
		if got := size.String(); got != want {
			t.Errorf("%d is %s; want %s", int64(size), got, want)
		}
	}
}
