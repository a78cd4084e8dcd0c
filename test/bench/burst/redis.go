package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
)

// redisServer is a redis-server of this run, on a unix socket.
type redisServer struct {
	dir string
	cmd *exec.Cmd
}

func startRedis() (*redisServer, error) {
	dir, err := os.MkdirTemp("", "burst-")
	if err != nil {
		return nil, err
	}
	s := &redisServer{dir: dir}
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", s.socket(), "--dir", dir,
		"--save", "", "--appendonly", "no", "--logfile", filepath.Join(dir, "log"))
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start redis-server (apt-get install redis-server): %w", err), os.RemoveAll(dir))
	}
	client := s.client()
	defer func() { _ = client.Close() }() // only asked whether it answers
	for range 200 {
		if err = client.Ping(context.Background()).Err(); err == nil {
			return s, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("redis-server does not answer: %w", err)
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "s") }

func (s *redisServer) client() redis.UniversalClient {
	return store.Dial(store.Target{Network: "unix", Addrs: []string{s.socket()}}, 5*time.Second)
}

func (s *redisServer) stop() {
	_ = s.cmd.Process.Kill() // nothing in it is kept
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}
