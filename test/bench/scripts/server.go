package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server of this run, on a unix socket.
type server struct {
	dir    string
	cmd    *exec.Cmd
	client *redis.Client
}

func startServer() (*server, error) {
	dir, err := os.MkdirTemp("", "bench-scripts-")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "s")
	s := &server{dir: dir, client: redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Protocol: 2, ReadTimeout: time.Minute})}
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", socket, "--dir", dir,
		"--save", "", "--appendonly", "no", "--logfile", filepath.Join(dir, "log"))
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start redis-server (apt-get install redis-server): %w", err), os.RemoveAll(dir))
	}
	for range 200 {
		if err = s.client.Ping(context.Background()).Err(); err == nil {
			return s, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("redis-server does not answer: %w", err)
}

// url is the server's address as --redis takes it.
func (s *server) url() string { return "unix://" + filepath.Join(s.dir, "s") }

func (s *server) stop() {
	_ = s.client.Close()     // the server ends with it
	_ = s.cmd.Process.Kill() // nothing in it is kept
	_ = s.cmd.Wait()         // killed
	_ = os.RemoveAll(s.dir)  // in the directory for such things
}

// section reads one section of INFO.
func (s *server) section(ctx context.Context, name string) (map[string]string, error) {
	text, err := s.client.Info(ctx, name).Result()
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			out[k] = v
		}
	}
	return out, nil
}

// cost runs f and gives the server's own time for each script call in it, µs.
func (s *server) cost(ctx context.Context, f func() error) (float64, error) {
	if err := s.client.ConfigResetStat(ctx).Err(); err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	stats, err := s.section(ctx, "commandstats")
	if err != nil {
		return 0, err
	}
	for field := range strings.SplitSeq(stats["cmdstat_evalsha"], ",") {
		if text, ok := strings.CutPrefix(field, "usec_per_call="); ok {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, errors.New("the server counted no script call")
}

// used gives the server's memory in bytes, without the event feed, which is
// capped and so no part of what grows.
func (s *server) used(ctx context.Context) (float64, error) {
	if err := s.client.Del(ctx, "events").Err(); err != nil {
		return 0, err
	}
	memory, err := s.section(ctx, "memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(memory["used_memory"], 64)
}
