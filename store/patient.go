package store

import (
	"context"
	"fmt"
	"net"
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
			// The client takes one layer off an error of a connection's first
			// use; without this one it would be where the dial went to.
			return stillborn{fmt.Errorf("%w", err)}, nil
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
