package runners_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"stream-api/queue"
	"stream-api/runners"
	"stream-api/store"
)

// cut is a way to Redis that a test can close: nobody is let in, and who is
// in hears nothing more.
type cut struct {
	t    *testing.T
	path string
	to   string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
	running  sync.WaitGroup
}

func newCut(t *testing.T, to string) *cut {
	t.Helper()
	dir, err := os.MkdirTemp("", "cut")
	if err != nil {
		t.Fatal(err)
	}
	c := &cut{t: t, path: filepath.Join(dir, "s"), to: to, conns: map[net.Conn]bool{}}
	c.on()
	t.Cleanup(func() {
		c.off()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *cut) on() {
	c.t.Helper()
	l, err := net.Listen("unix", c.path)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.listener = l
	c.mu.Unlock()
	c.running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", c.to)
			if err != nil {
				_ = in.Close() // the other side sees it
				continue
			}
			c.mu.Lock()
			c.conns[in], c.conns[out] = true, true
			c.mu.Unlock()
			c.running.Go(func() { c.copy(in, out) })
			c.running.Go(func() { c.copy(out, in) })
		}
	})
}

func (c *cut) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from) // ends with either side
	_ = to.Close()
	_ = from.Close()
	c.mu.Lock()
	delete(c.conns, to)
	delete(c.conns, from)
	c.mu.Unlock()
}

func (c *cut) off() {
	c.mu.Lock()
	if c.listener != nil {
		_ = c.listener.Close()
		c.listener = nil
	}
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.mu.Unlock()
	c.running.Wait()
}

// beginAt starts a runner that reaches the store by another socket.
func (h *host) beginAt(socket string, o runners.Options) *life {
	h.w.t.Helper()
	client, s, q, err := dialRedis(socket, h.name)
	if err != nil {
		h.w.t.Fatal(err)
	}
	h.w.t.Cleanup(func() { _ = client.Close() })
	return h.start(s, q, o)
}

func (h *host) start(s *store.Store, q *queue.Client, o runners.Options) *life {
	h.w.t.Helper()
	r, err := runners.New(s, q, o)
	if err != nil {
		h.w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &life{Runner: r, t: h.w.t, done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(l.done)
		l.err = r.Run(ctx)
	}()
	h.w.t.Cleanup(func() {
		l.cancel()
		_ = l.wait() // a test that minds how it ended has looked already
	})
	return l
}
