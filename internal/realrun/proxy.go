package realrun

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Proxy stands between a host and its store, and can cut the way: what is
// sent meanwhile is neither delivered nor refused, as with a pulled cable.
type Proxy struct {
	Socket string
	target string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

// NewProxy starts a proxy to a unix socket. Its goroutines (one that accepts,
// two a connection) end with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "sa-px-")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Socket: filepath.Join(dir, "s"), target: target, conns: map[net.Conn]bool{}}
	l, err := net.Listen("unix", p.Socket)
	if err != nil {
		t.Fatal(err)
	}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed by the test's end
			}
			p.wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close the proxy: %v", err)
		}
		p.closeAll()
		p.wg.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the proxy's directory: %v", err)
		}
	})
	return p
}

// URL is the store's address through the proxy.
func (p *Proxy) URL() string { return "unix://" + p.Socket }

// Cut stops all traffic; connections stay open and silent.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
}

// Heal lets new connections through again; what was open while the way was
// cut is closed, as its data is lost.
func (p *Proxy) Heal() {
	p.mu.Lock()
	p.cut = false
	p.mu.Unlock()
	p.closeAll()
}

func (p *Proxy) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

func (p *Proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // a second close is no news
	}
}

func (p *Proxy) track(c net.Conn, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.conns[c] = true
	} else {
		delete(p.conns, c)
		_ = c.Close() // a second close is no news
	}
}

func (p *Proxy) serve(in net.Conn) {
	p.track(in, true)
	defer p.track(in, false)
	if p.isCut() {
		_, _ = io.Copy(io.Discard, in) // silent until healed
		return
	}
	out, err := net.Dial("unix", p.target)
	if err != nil {
		return // the store is down; so the host is told
	}
	p.track(out, true)
	defer p.track(out, false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.pump(out, in)
	}()
	p.pump(in, out)
	p.track(in, false)
	p.track(out, false)
	<-done
}

// pump forwards until one side closes; while the way is cut it swallows.
func (p *Proxy) pump(to, from net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !p.isCut() {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
	}
}
