// Package embedded is a store inside this process, for a first look and for a
// single machine: miniredis, listening on loopback so that redis-cli, the
// commands and asynqmon see it. It keeps nothing over a restart, has one
// process's speed and no replicas; it is not for a production network.
//
// It starts two goroutines: the server's, and a ticker that lets keys expire.
// Close ends both.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// tick is how often keys are let expire; miniredis has no clock for that.
const tick = 50 * time.Millisecond

// Server is a running embedded store.
type Server struct {
	mini *miniredis.Miniredis
	stop chan struct{}
	done sync.WaitGroup
}

// Start listens on the address; if its port is taken, on a free one of the
// same host.
func Start(address string) (*Server, error) {
	mini := miniredis.NewMiniRedis()
	err := mini.StartAddr(address)
	if errors.Is(err, syscall.EADDRINUSE) {
		host, _, splitErr := net.SplitHostPort(address)
		if splitErr != nil {
			return nil, fmt.Errorf("embedded store: %w", splitErr)
		}
		mini = miniredis.NewMiniRedis()
		err = mini.StartAddr(net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	s := &Server{mini: mini, stop: make(chan struct{})}
	s.done.Go(s.expire)
	return s, nil
}

// expire advances the clock by which keys expire.
func (s *Server) expire() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop:
			return
		case now := <-ticker.C:
			s.mini.FastForward(now.Sub(last))
			last = now
		}
	}
}

// Addr is the host and port it listens on.
func (s *Server) Addr() string { return s.mini.Addr() }

// URL is the address as network.redis writes it.
func (s *Server) URL() string { return "redis://" + s.mini.Addr() + "/0" }

// Close ends the server; what it held is gone.
func (s *Server) Close() {
	close(s.stop)
	s.done.Wait()
	s.mini.Close()
}
