package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// Limits of connections. Those of whoever showed the token are counted apart,
// so that nobody without it keeps an operator out.
const (
	maxStrangers     = 512
	maxNeighbours    = 64  // of one address, but for this machine's own, such as a proxy's
	maxHolders       = 512 // beyond, a holder is a stranger like others
	strangerIdle     = 10 * time.Second
	descriptorsSpare = 128 // left to the rest of the process: children, logs, the store
	crowdWarn        = time.Minute
)

// crowd lets connections in as long as there is room.
type crowd struct {
	net.Listener
	metrics *Metrics
	log     zerolog.Logger
	// descriptors is how many the process may have, asked at each connection.
	descriptors func() uint64

	mu        sync.Mutex
	strangers int
	holders   int
	from      map[netip.Prefix]int // strangers of each address
	refused   int                  // since warned
	warned    time.Time
}

func newCrowd(l net.Listener, m *Metrics, log zerolog.Logger) *crowd {
	return &crowd{Listener: l, metrics: m, log: log, descriptors: openLimit, from: map[netip.Prefix]int{}}
}

// openLimit is RLIMIT_NOFILE as it is now.
func openLimit() uint64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return ^uint64(0)
	}
	return r.Cur
}

// Accept implements net.Listener. Whoever finds no room is hung up on, without
// a word: to write one would be work.
func (c *crowd) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		in, why := c.enter(conn)
		if in != nil {
			return in, nil
		}
		_ = conn.Close() // nothing was said on it
		c.complain(why, conn.RemoteAddr())
	}
}

func (c *crowd) enter(conn net.Conn) (in *visitor, why string) {
	from := neighbourhood(conn.RemoteAddr().String())
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.strangers >= maxStrangers:
		return nil, "there are as many connections without a token as are let in"
	case c.from[from] >= maxNeighbours && !from.Addr().IsLoopback():
		return nil, "its address has too many connections without a token"
	case c.short(conn):
		return nil, "the process is short of file descriptors"
	}
	c.strangers++
	c.from[from]++
	return &visitor{Conn: conn, crowd: c, from: from}, ""
}

// short tells whether few descriptors are left. A connection is given the
// lowest that is free, so all below its own are in use.
func (c *crowd) short(conn net.Conn) bool {
	raw, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	control, err := raw.SyscallConn()
	if err != nil {
		return false
	}
	var at uint64
	if err := control.Control(func(fd uintptr) { at = uint64(fd) }); err != nil {
		return false
	}
	return at+descriptorsSpare >= c.descriptors()
}

func (c *crowd) complain(why string, remote net.Addr) {
	c.metrics.refusals.WithLabelValues("crowd").Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused++; time.Since(c.warned) >= crowdWarn {
		c.log.Warn().Int("times", c.refused).Str("reason", why).Str("from", remote.String()).Msg("connections to the page were refused; the next such line comes in a minute at the earliest")
		c.refused, c.warned = 0, time.Now()
	}
}

// visitor is one connection that was let in.
type visitor struct {
	net.Conn
	crowd *crowd
	from  netip.Prefix
	// What follows is the crowd's, under its mu.
	holder, idle, gone bool
}

// known takes note that whoever has the connection has the token.
func (v *visitor) known() {
	v.crowd.mu.Lock()
	defer v.crowd.mu.Unlock()
	if v.holder || v.gone || v.crowd.holders >= maxHolders {
		return
	}
	v.crowd.leaves(v)
	v.holder = true
	v.crowd.holders++
}

// leaves takes a visitor out of the count he is in. The caller holds mu.
func (c *crowd) leaves(v *visitor) {
	if v.holder {
		c.holders--
		return
	}
	c.strangers--
	if c.from[v.from]--; c.from[v.from] <= 0 {
		delete(c.from, v.from)
	}
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.crowd.mu.Lock()
	if !v.gone {
		v.gone = true
		v.crowd.leaves(v)
	}
	v.crowd.mu.Unlock()
	return v.Conn.Close()
}

// SetReadDeadline implements net.Conn: who is not known may not idle for long.
func (v *visitor) SetReadDeadline(t time.Time) error {
	v.crowd.mu.Lock()
	brief := v.idle && !v.holder
	v.crowd.mu.Unlock()
	if limit := time.Now().Add(strangerIdle); brief && t.After(limit) {
		t = limit
	}
	return v.Conn.SetReadDeadline(t)
}

// turns follows what the server says of a connection.
func (v *visitor) turns(state http.ConnState) {
	v.crowd.mu.Lock()
	defer v.crowd.mu.Unlock()
	v.idle = state == http.StateIdle
}

// visitorOf finds the visitor below whatever wraps the connection.
func visitorOf(conn net.Conn) *visitor {
	for {
		switch c := conn.(type) {
		case *visitor:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}

// visitorKey finds a request's visitor in its context.
type visitorKey struct{}

func withVisitor(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, visitorOf(conn))
}

// holderCame has the connection of a request counted as one of a holder.
func holderCame(r *http.Request) {
	if v, ok := r.Context().Value(visitorKey{}).(*visitor); ok && v != nil {
		v.known()
	}
}
