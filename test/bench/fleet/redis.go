package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
)

// redisServer is a redis-server of this run that can be stopped and started
// again with its data. The simulated hosts come to it by TCP, everybody else by a
// unix socket, so that it is seen who sends what.
type redisServer struct {
	dir  string
	port int
	cmd  *exec.Cmd
}

func newRedis() (*redisServer, error) {
	dir, err := os.MkdirTemp("", "fleet-")
	if err != nil {
		return nil, err
	}
	s := &redisServer{dir: dir}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	return s, s.start()
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "s") }

func (s *redisServer) start() error {
	s.cmd = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--unixsocket", s.socket(), "--dir", s.dir, "--save", "", "--appendonly", "yes",
		"--logfile", filepath.Join(s.dir, "log"), "--maxclients", "60000", "--slowlog-log-slower-than", "5000", "--slowlog-max-len", "1000")
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start redis-server (apt-get install redis-server): %w", err)
	}
	c := s.client()
	defer func() { _ = c.Close() }() // only asked whether it answers
	var err error
	for range 400 {
		if err = c.Ping(context.Background()).Err(); err == nil {
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return fmt.Errorf("redis-server does not answer: %w", err)
}

// stop ends the server as an operator does; its data stay.
func (s *redisServer) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

func (s *redisServer) remove() {
	_ = s.cmd.Process.Kill() // nothing in it is kept
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// client is for what belongs to no simulated host.
func (s *redisServer) client() redis.UniversalClient {
	return store.Dial(store.Target{Network: "unix", Addrs: []string{s.socket()}}, 5*time.Second)
}

// hostClient is the simulated hosts'.
func (s *redisServer) hostClient() redis.UniversalClient {
	return store.Dial(store.Target{Network: "tcp", Addrs: []string{fmt.Sprintf("127.0.0.1:%d", s.port)}}, 5*time.Second)
}

// sent counts the commands that the simulated hosts and all others send in a
// span; a script counts as one.
func (s *redisServer) sent(span time.Duration) (hosts, others int, err error) {
	c, err := net.Dial("unix", s.socket())
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = c.Close() }() // what was read is counted
	if _, err := c.Write([]byte("MONITOR\r\n")); err != nil {
		return 0, 0, err
	}
	if err := c.SetReadDeadline(time.Now().Add(span)); err != nil {
		return 0, 0, err
	}
	lines := bufio.NewScanner(c)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		line := lines.Text()
		switch who, _, _ := strings.Cut(line[strings.IndexByte(line, '[')+1:], "]"); {
		case strings.Contains(who, " 127.0.0.1:"):
			hosts++
		case strings.Contains(who, " unix:"):
			others++
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, 0, err
	}
	return hosts, others, nil
}

// cpu is what the server has used, in seconds.
func (s *redisServer) cpu() (float64, error) { return cpuOf(s.cmd.Process.Pid) }

// cpuOf is the processor time of a process so far, in seconds.
func cpuOf(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	total := 0.0
	for _, i := range []int{11, 12} { // user and system, in ticks of 10 ms
		ticks, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0, err
		}
		total += ticks / 100
	}
	return total, nil
}

// slow tells how many calls took over 5 ms since it was last asked, and the
// longest.
func slow(ctx context.Context, c redis.UniversalClient) (n int, longest time.Duration, err error) {
	entries, err := c.SlowLogGet(ctx, 1000).Result()
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries {
		longest = max(longest, e.Duration)
	}
	return len(entries), longest, c.Do(ctx, "SLOWLOG", "RESET").Err()
}
