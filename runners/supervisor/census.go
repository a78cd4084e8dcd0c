package supervisor

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// census is one walk over all processes of the machine: what is needed to tell whose they are.
type census struct {
	all     []procStat
	marks   map[int]string // by pid: the variables file that the environment names
	keepers map[int]string // by pid of a supervisor: its slot's directory
}

// joinTime is how long a walk waits for others that need one as well. A host that comes back with five hundred slots asks
// five hundred times at once, and each walk reads the environment of everything that runs.
const joinTime = 10 * time.Millisecond

// censuses hands out walks. Whoever asks gets one that begins after that, so that nothing it knows to be over is in it;
// all who ask before it begins share it.
type censuses struct {
	walking sync.Mutex
	mu      sync.Mutex
	next    *walk // not begun yet
	taken   atomic.Int64
}

type walk struct {
	done   chan struct{}
	census census
	err    error
}

var processes censuses

func (c *censuses) take() (census, error) {
	c.mu.Lock()
	w := c.next
	if w != nil {
		c.mu.Unlock()
		<-w.done
		return w.census, w.err
	}
	w = &walk{done: make(chan struct{})}
	c.next = w
	c.mu.Unlock()
	time.Sleep(joinTime)
	c.walking.Lock()
	defer c.walking.Unlock()
	c.mu.Lock()
	c.next = nil
	c.mu.Unlock()
	c.taken.Add(1)
	w.census, w.err = readCensus()
	close(w.done)
	return w.census, w.err
}

func readCensus() (census, error) {
	all, err := allProcesses()
	if err != nil {
		return census{}, fmt.Errorf("list processes: %w", err)
	}
	c := census{all: all, marks: map[int]string{}, keepers: map[int]string{}}
	for _, s := range all {
		if s.dead() {
			continue
		}
		if path := markOf(s.pid); path != "" {
			c.marks[s.pid] = path
		} else if dir := keeperOf(s.pid); dir != "" {
			c.keepers[s.pid] = dir
		}
	}
	return c, nil
}

// markOf reads which variables file pid was started with; empty for none, or if that is not ours to see.
func markOf(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for kv := range bytes.SplitSeq(text, []byte{0}) {
		if path, ok := bytes.CutPrefix(kv, []byte(EnvVars+"=")); ok {
			return string(path)
		}
	}
	return ""
}

// keeperOf reads which slot's directory pid was started to keep as a supervisor; empty for none.
func keeperOf(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	argv := bytes.Split(bytes.TrimSuffix(text, []byte{0}), []byte{0})
	if len(argv) != 3 || string(argv[1]) != Command {
		return ""
	}
	return string(argv[2])
}
