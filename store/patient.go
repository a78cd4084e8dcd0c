package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// patientDialer keeps a client's pool from giving up on the store. After as
// many failed dials as it may hold connections, however far apart, the pool
// answers every call with the last failure and tries only once a second whether
// that is still so. A host that was cut off has two beats to hear what it lost,
// and a beat may be as short. So the pool is not told: a connection that could
// not be made is one that fails at its first use, with the same error.
type patientDialer struct{}

var _ redis.Hook = patientDialer{}

// DialHook is part of [redis.Hook].
func (patientDialer) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			// The client unwraps the error of a connection's first use once.
			// This layer is for it to remove: the next one names the address.
			return stillborn{fmt.Errorf("%w", err)}, nil
		}
		if raw, ok := conn.(syscall.Conn); ok { // not over TLS, where the server answers no such client
			return &heard{Conn: conn, raw: raw}, nil
		}
		return conn, nil
	}
}

// ProcessHook is part of [redis.Hook].
func (patientDialer) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook is part of [redis.Hook].
func (patientDialer) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// heard is a connection that, when it breaks, says what the server answered
// last before it closed it, if that was a refusal and all it ever said.
type heard struct {
	net.Conn
	raw   syscall.Conn
	mu    sync.Mutex // a subscription reads and writes at once
	reads int
	last  string // the only answer, if it was an error
}

// lastWords bounds what is read of a connection that broke: a line that came
// before it did is there at once.
const lastWords = 50 * time.Millisecond

func (c *heard) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.note(b[:n])
	}
	return n, c.reason(err)
}

func (c *heard) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err != nil && !c.wasRead() && c.SetReadDeadline(time.Now().Add(lastWords)) == nil {
		var line [256]byte
		if got, _ := c.Conn.Read(line[:]); got > 0 {
			c.note(line[:got])
		}
	}
	return n, c.reason(err)
}

func (c *heard) wasRead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads > 0
}

func (c *heard) note(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads, c.last = c.reads+1, ""
	text, isError := strings.CutPrefix(string(b), "-")
	if line, rest, whole := strings.Cut(text, "\r\n"); c.reads == 1 && isError && whole && rest == "" {
		c.last = line
	}
}

// reason is what stands behind an error of the connection.
func (c *heard) reason(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var timeout net.Error
	if err == nil || c.last == "" || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return fmt.Errorf("%w", answered(c.last)) // see above
}

// SyscallConn lets the client look whether the connection still stands.
func (c *heard) SyscallConn() (syscall.RawConn, error) { return c.raw.SyscallConn() }

// answered is an error that Redis answered with.
type answered string

func (a answered) Error() string { return string(a) }

// RedisError implements [redis.Error].
func (answered) RedisError() {}

var _ redis.Error = answered("")

// stillborn is a connection that could not be made.
type stillborn struct{ err error }

func (s stillborn) Read([]byte) (int, error)       { return 0, s.err }
func (s stillborn) Write([]byte) (int, error)      { return 0, s.err }
func (stillborn) Close() error                     { return nil }
func (stillborn) LocalAddr() net.Addr              { return nowhere{} }
func (stillborn) RemoteAddr() net.Addr             { return nowhere{} }
func (stillborn) SetDeadline(time.Time) error      { return nil }
func (stillborn) SetReadDeadline(time.Time) error  { return nil }
func (stillborn) SetWriteDeadline(time.Time) error { return nil }

type nowhere struct{}

func (nowhere) Network() string { return "none" }
func (nowhere) String() string  { return "not connected" }
