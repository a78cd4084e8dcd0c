package orphans

import (
	"os"
	"os/exec"
	"sync"
)

// own are the children that somebody here waits for.
var own = struct {
	starting sync.RWMutex // held for reading from before a fork until the pid is known
	mu       sync.Mutex
	pids     map[int]bool
}{pids: map[int]bool{}}

// Run is cmd.Run for a child that Reap leaves alone.
func Run(cmd *exec.Cmd) error {
	if err := begin(func() (int, error) {
		if err := cmd.Start(); err != nil {
			return 0, err
		}
		return cmd.Process.Pid, nil
	}); err != nil {
		return err
	}
	defer Forget(cmd.Process.Pid)
	return cmd.Wait()
}

// StartProcess is os.StartProcess for a child that Reap leaves alone until Forget.
func StartProcess(name string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	var p *os.Process
	err := begin(func() (int, error) {
		var err error
		if p, err = os.StartProcess(name, argv, attr); err != nil {
			return 0, err
		}
		return p.Pid, nil
	})
	return p, err
}

// Forget leaves a child to Reap: it was waited for, or nobody will.
func Forget(pid int) {
	own.mu.Lock()
	defer own.mu.Unlock()
	delete(own.pids, pid)
}

func begin(start func() (pid int, err error)) error {
	own.starting.RLock()
	defer own.starting.RUnlock()
	pid, err := start()
	if err == nil {
		own.mu.Lock()
		own.pids[pid] = true
		own.mu.Unlock()
	}
	return err
}

func isOwn(pid int) bool {
	own.mu.Lock()
	defer own.mu.Unlock()
	return own.pids[pid]
}
