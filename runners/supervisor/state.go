package supervisor

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Phase is where a slot's life stands: waiting → (starting → running → stopping → cleaning → pausing →)* ended.
// ended is final; nothing leads back to waiting.
type Phase string

const (
	PhaseWaiting  Phase = "waiting"  // for the first Go
	PhaseStarting Phase = "starting" // pre_start hooks
	PhaseRunning  Phase = "running"
	PhaseStopping Phase = "stopping" // the stop signal is sent, the grace runs
	PhaseCleaning Phase = "cleaning" // what is left of the tree is killed, post_stop runs
	PhasePausing  Phase = "pausing"  // before the next start
	PhaseEnded    Phase = "ended"
)

// State is all there is to know about a supervisor. It is sent to each runner that connects and kept in Dir/state.json,
// where it is true until the process of Supervisor is gone.
type State struct {
	Version    int     `json:"version"`
	Phase      Phase   `json:"phase"`
	BootID     string  `json:"boot_id"` // of the boot in which the processes and the deadline below mean something
	Supervisor Process `json:"supervisor"`
	Child      Process `json:"child"`            // zero while there is none
	Last       Process `json:"last"`             // the latest child, alive or not: its session's leader
	Cgroup     string  `json:"cgroup,omitempty"` // directory of the tree's cgroup, where there is one

	NoCgroup string `json:"no_cgroup,omitempty"` // why there is none
	Unheld   string `json:"unheld,omitempty"`    // which limits by cgroup do not hold, and why

	Deadline  int64     `json:"deadline"` // of Now's clock, 0 before Go; in the file up to 10 s old
	Since     time.Time `json:"since"`    // of the supervisor
	StartedAt time.Time `json:"started_at,omitzero"`
	Ready     time.Time `json:"ready,omitzero"`    // since when the child is, where that is probed; zero: it is not
	Unready   string    `json:"unready,omitempty"` // why it is not, as far as that is known
	Attempts  int       `json:"attempts"`          // starts tried
	Restarts  int       `json:"restarts"`          // starts tried after the first, whatever the reason
	Stalls    int       `json:"stalls"`
	Failures  int       `json:"failures"` // counted ones within the window
	Failing   bool      `json:"failing"`  // give_up_after was reached by the latest exit
	Next      time.Time `json:"next,omitzero"`
	Dirty     bool      `json:"dirty"` // something was started since post_stop last ran

	Away bool          `json:"away"` // the publisher: exits count for nothing
	Pace time.Duration `json:"pace"` // least delay between two starts

	Exit     *Exit             `json:"exit,omitempty"` // the latest
	Vars     map[string]string `json:"vars,omitempty"`
	Progress *Progress         `json:"progress,omitempty"`
	End      *End              `json:"end,omitempty"` // set when Phase is ended
}

// Process names one process for good: a pid alone is given out again.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // field 22 of /proc/PID/stat: clock ticks since boot
}

// Why a child ended.
const (
	ExitCode     = "exit"      // by itself; Exit.Code
	ExitDone     = "done"      // by itself, with one of the codes of Exec.Done; Exit.Code. It is the last
	ExitSignal   = "signal"    // by a signal that was not ours; Exit.Signal
	ExitStart    = "start"     // could not be started; Exit.Text
	ExitPreStart = "pre_start" // a hook failed; Exit.Text
	ExitStalled  = "stalled"   // gave no sign of life
	ExitUnready  = "unready"   // its output did not come in time; Exit.Text
	ExitRestart  = "restart"   // wanted by the runner
	ExitStopped  = "stopped"   // wanted by the runner, for good
	ExitKilled   = "killed"    // wanted by the runner, at once
	ExitDeadline = "deadline"
)

// Exit is one end of the child.
type Exit struct {
	Reason  string        `json:"reason"`         // one of the Exit constants
	Code    int           `json:"code"`           // -1 when it was a signal or nothing ran
	Signal  string        `json:"signal"`         // SIGKILL, …; empty without one
	Text    string        `json:"text,omitempty"` // what went wrong, where neither code nor signal says it
	At      time.Time     `json:"at"`
	Ran     time.Duration `json:"ran"`
	Stderr  []string      `json:"stderr,omitempty"` // the last five lines, masked, each at most 300 bytes
	Counted bool          `json:"counted"`          // as a failure
}

// Stillborn tells that no child ran: pre_start failed, or the program could not be started.
func (e Exit) Stillborn() bool { return e.Reason == ExitStart || e.Reason == ExitPreStart }

func (e Exit) String() string {
	text := e.Reason
	switch {
	case e.Text != "":
		text += ": " + e.Text
	case e.Signal != "":
		text += ": " + e.Signal
	case e.Code >= 0:
		text += fmt.Sprintf(": code %d", e.Code)
	}
	return text
}

// Why a supervisor ended.
const (
	EndStopped  = "stopped"  // Stop
	EndDone     = "done"     // its child is done
	EndKilled   = "killed"   // End
	EndDeadline = "deadline" // nobody fed it
	EndNoGo     = "no_go"    // the runner never said Go, or was gone before the child could start
	EndSignal   = "signal"   // the supervisor itself got a TERM
	EndLost     = "lost"     // the supervisor died before its child was done; said by Finish afterwards
)

// Done is how the child ended that is done; nil: none is. It is kept by a supervisor that is killed between that and its
// own end.
func (s State) Done() *Exit {
	if s.Exit == nil || s.Exit.Reason != ExitDone {
		return nil
	}
	return s.Exit
}

// End is the end of a supervisor: its tree is gone and post_stop has run.
type End struct {
	Reason string    `json:"reason"`
	Text   string    `json:"text,omitempty"`
	At     time.Time `json:"at"`
}

// clone returns a copy that shares nothing which is changed later. Exit, Progress and End are replaced, never changed.
func (s State) clone() State {
	s.Vars = maps.Clone(s.Vars)
	return s
}

// ReadState reads the state in dir. A directory whose supervisor never came to write one gives fs.ErrNotExist.
func ReadState(dir string) (State, error) {
	var s State
	if err := readJSON(filepath.Join(dir, fileState), &s); err != nil {
		return State{}, err
	}
	if s.Version != SpecVersion {
		return State{}, fmt.Errorf("%s: version %d is not known, only %d", filepath.Join(dir, fileState), s.Version, SpecVersion)
	}
	return s, nil
}

// bootID tells one boot of the machine from the next.
func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
}
