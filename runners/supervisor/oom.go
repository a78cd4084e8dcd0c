package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// oomWatch counts who was killed for want of memory in the nearest cgroup that counts it: the child's own, if the memory
// controller is there, else one above it, whose figure is also that of others. Without one it knows nothing.
type oomWatch struct {
	file  string // memory.events; empty: there is none
	own   bool   // only the child's processes are counted
	count int
}

// watchMemory begins to count. own is the cgroup of the slot, empty for none; root is prefixed to all paths.
func watchMemory(root, own string) oomWatch {
	if own != "" {
		if w := (oomWatch{file: filepath.Join(own, "memory.events"), own: true}); w.begin() {
			return w
		}
	}
	above, err := baseCgroup(root)
	if err != nil {
		return oomWatch{}
	}
	mount, err := cgroupMount(root)
	if err != nil {
		return oomWatch{}
	}
	for dir := above; ; dir = filepath.Dir(dir) {
		if w := (oomWatch{file: filepath.Join(root, mount, dir, "memory.events")}); w.begin() {
			return w
		}
		if dir == "/" || dir == "." {
			return oomWatch{}
		}
	}
}

// watchMemory begins to count for the child that was just started.
func (l *life) watchMemory() {
	own := ""
	if l.cgroup != nil {
		own = l.cgroup.path
	}
	w := watchMemory("", own)
	l.mu.Lock()
	l.memory = w
	l.mu.Unlock()
}

// ranOut explains the end of that child.
func (l *life) ranOut(e Exit) string {
	l.mu.Lock()
	w := l.memory
	l.mu.Unlock()
	return w.explain(e)
}

func (w *oomWatch) begin() bool {
	n, err := oomKills(w.file)
	w.count = n
	return err == nil
}

// anew goes on counting where the kernel began anew, as it does when the controller was away.
func (w *oomWatch) anew() {
	if n, err := oomKills(w.file); err == nil {
		w.count = min(w.count, n)
	}
}

// explain says in words that a child's end was one for want of memory, or gives "". The child may be a shell whose ffmpeg was killed,
// and have ended by itself.
func (w oomWatch) explain(e Exit) string {
	killed := e.Reason == ExitSignal && e.Signal == unix.SignalName(unix.SIGKILL)
	failed := e.Reason == ExitCode && e.Code != 0
	if w.file == "" || !killed && !failed {
		return ""
	}
	n, err := oomKills(w.file)
	switch {
	case err != nil || n <= w.count:
		return ""
	case w.own && failed:
		return fmt.Sprintf("out of memory: the kernel killed %d of its processes (exit %d)", n-w.count, e.Code)
	case w.own:
		return "out of memory: the kernel killed it (signal SIGKILL)"
	case failed:
		return "" // somebody else's, as far as is known
	}
	return fmt.Sprintf("out of memory, it seems: signal SIGKILL, and the kernel killed %d in %s meanwhile", n-w.count, filepath.Dir(w.file))
}

// oomKills reads the field oom_kill of memory.events.
func oomKills(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strconv.Atoi(strings.TrimSpace(value))
		}
	}
	return 0, fmt.Errorf("%s: no oom_kill", file)
}
