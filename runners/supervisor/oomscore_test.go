package supervisor

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func oomScore(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestChildrenAreTheFirstToGoAndSupervisorsAreNot(t *testing.T) {
	r := launch(t, func(s *Spec) { s.Path, s.Args = "sleep", []string{"1000"} })
	child := r.await(EventStarted).PID
	if got := oomScore(t, child); got != "500" {
		t.Errorf("oom_score_adj of the child is %s", got)
	}
	state, err := ReadState(r.dir)
	r.must(err)
	if got, want := oomScore(t, state.Supervisor.PID), oomScore(t, os.Getpid()); got != want {
		t.Errorf("oom_score_adj of the supervisor is %s; it was started with %s", got, want)
	}
}

func TestNobodyIsMadeToGoLater(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // by the signal
	}()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte("700"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := offerFirst(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if got := oomScore(t, cmd.Process.Pid); got != "700" {
		t.Errorf("oom_score_adj went from 700 to %s", got)
	}
}
