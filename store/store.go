package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/lua"
	"stream-api/stream"
)

// Options say how a Store speaks.
type Options struct {
	// Namespace is put before every key.
	Namespace string
	// Actor is who acts, for the event feed: a host, or a user's command.
	Actor string
	// Lease is the caller's own lease; a hold that this client has to open
	// lasts at least that long. Zero: 10 s and 2 s.
	TTL, Beat time.Duration
	// Tells has the store keep word, under the actor's name, of what Redis refuses
	// this client, for others to see.
	Tells bool
	// Speaks are the layouts of keys this program speaks; zero: Spoken.
	Speaks stream.Layouts
	// Clock is lua.Server but in tests.
	Clock lua.Clock
}

// Store is the only owner of Redis keys. Its methods are safe for concurrent
// use. It starts no goroutine and does not own the client.
type Store struct {
	client   redis.UniversalClient
	ns       string
	actor    string
	ttl      time.Duration
	beat     time.Duration
	scripts  map[string]lua.Script
	loading  sync.Mutex
	begun    atomic.Bool
	speaks   stream.Layouts
	layout   atomic.Int64
	replicas replicaCount
	took     func(script string, took time.Duration, err error)
	tookSet  atomic.Bool
	tells    bool
	telling  sync.Mutex
	told     time.Time
}

// New makes a Store over a client. It does not touch the network; Check does.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	scripts, err := lua.Load(o.Clock)
	if err != nil {
		return nil, fmt.Errorf("load scripts: %w", err)
	}
	s := &Store{client: client, ns: o.Namespace, actor: o.Actor, ttl: o.TTL, beat: o.Beat, tells: o.Tells, scripts: scripts, speaks: cmp.Or(o.Speaks, Spoken)}
	if s.ttl == 0 {
		s.ttl, s.beat = 10*time.Second, 2*time.Second
	}
	return s, nil
}

// Client is the client the store speaks through, for those that share it.
func (s *Store) Client() redis.UniversalClient { return s.client }

// Namespace is what stands before every key.
func (s *Store) Namespace() string { return s.ns }

// Observe has f called after every script with its name and duration, for
// metrics. Call it once, before the store is used.
func (s *Store) Observe(f func(script string, took time.Duration, err error)) {
	s.took = f
	s.tookSet.Store(true)
}

// ensureBegun compares the layout's version before the first script.
func (s *Store) ensureBegun(ctx context.Context) error {
	if s.begun.Load() {
		return nil
	}
	return s.Begin(ctx)
}

// writer is the client for what is written without a script, which would have
// compared the layouts. Error: *LayoutError.
func (s *Store) writer(ctx context.Context) (redis.UniversalClient, error) {
	if err := s.ensureBegun(ctx); err != nil {
		return nil, err
	}
	return s.client, nil
}

func (s *Store) key(parts ...string) string { return s.ns + strings.Join(parts, ":") }

// call runs a script: name, then what its head calls ARGV after ns and actor.
//
// A server that has forgotten the scripts was restarted, failed over or
// flushed, and nobody may take or give anything there before it has been
// looked at. So look runs first, and the others are loaded after it.
func (s *Store) call(ctx context.Context, name string, args ...any) (reply, error) {
	script, argv := s.prepare(name, args)
	started := time.Now()
	if err := s.ensureBegun(ctx); err != nil {
		return s.answer(name, started, nil, err)
	}
	raw, err := s.client.EvalSha(ctx, script.SHA, nil, argv...).Result()
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = s.load(ctx); err == nil {
			raw, err = s.client.EvalSha(ctx, script.SHA, nil, argv...).Result()
		}
	}
	return s.answer(name, started, raw, err)
}

// callMany runs a script once per list of arguments, in one round trip. A reply
// that is an error, as over a key that a hand made another type of, is nil in
// replies and stands in refused; it harms none of the others.
func (s *Store) callMany(ctx context.Context, name string, calls [][]any) (replies []reply, refused []error, err error) {
	if len(calls) == 0 {
		return nil, nil, nil
	}
	if err := s.ensureBegun(ctx); err != nil {
		return nil, nil, err
	}
	started := time.Now()
	cmds, err := s.callManyOnce(ctx, name, calls)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = s.load(ctx); err == nil {
			cmds, err = s.callManyOnce(ctx, name, calls)
		}
	}
	if err != nil && !isRefusal(err) {
		_, err = s.answer(name, started, nil, err)
		return nil, nil, err
	}
	replies, refused = make([]reply, len(cmds)), make([]error, len(cmds))
	for i, cmd := range cmds {
		raw, err := cmd.Result()
		if replies[i], err = s.answer(name, started, raw, err); err != nil {
			if !isRefusal(err) {
				return nil, nil, err
			}
			replies[i], refused[i] = nil, err
		}
	}
	return replies, refused, nil
}

// IsWrongType tells whether Redis refused a command because a hand made its key
// another type; PutAside mends that.
func IsWrongType(err error) bool { return err != nil && strings.Contains(err.Error(), "WRONGTYPE") }

func (s *Store) callManyOnce(ctx context.Context, name string, calls [][]any) ([]*redis.Cmd, error) {
	pipe := s.client.Pipeline()
	cmds := make([]*redis.Cmd, len(calls))
	for i, args := range calls {
		script, argv := s.prepare(name, args)
		cmds[i] = pipe.EvalSha(ctx, script.SHA, nil, argv...)
	}
	_, err := pipe.Exec(ctx)
	return cmds, err
}

func (s *Store) prepare(name string, args []any) (lua.Script, []any) {
	script, ok := s.scripts[name]
	if !ok {
		panic("store: no script " + name)
	}
	argv := make([]any, 0, len(args)+2)
	argv = append(argv, s.ns, s.actor)
	return script, append(argv, args...)
}

func (s *Store) answer(name string, started time.Time, raw any, err error) (reply, error) {
	if s.tookSet.Load() {
		s.took(name, time.Since(started), err)
	}
	if err != nil {
		s.tellRefusal(name, err)
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	rows, ok := raw.([]any)
	if !ok || len(rows) == 0 {
		return nil, fmt.Errorf("%s: %w: %v", name, ErrReply, raw)
	}
	return rows, nil
}

// load fences the store, then loads every script into it.
func (s *Store) load(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	// Nothing is written into another version's layout.
	if err := s.Begin(ctx); err != nil {
		return err
	}
	fence, argv := s.prepare("fence", []any{nonce(), s.ttl.Milliseconds(), s.beat.Milliseconds()})
	if err := s.client.Eval(ctx, fence.Text, nil, argv...).Err(); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	pipe := s.client.Pipeline()
	for _, name := range lua.Names(s.scripts) {
		pipe.ScriptLoad(ctx, s.scripts[name].Text)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("load scripts: %w", err)
	}
	return nil
}

// nonce makes what a counter and a clock cannot promise: a token that a store
// set back to older data cannot issue again.
func nonce() string {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read never returns an error
	}
	return hex.EncodeToString(b[:])
}

// Errors that callers tell apart with errors.Is. Each is wrapped with what
// was asked for.
var (
	// ErrStale: the caller speaks of a term that is over. Drop it.
	ErrStale = errors.New("stale")
	// ErrUnknownHost: the store does not know this life of the host; register.
	ErrUnknownHost = errors.New("the store does not know this host")
	// ErrNotReplicated: the replicas did not acknowledge in time; ask again.
	ErrNotReplicated = errors.New("not acknowledged by the replicas")
	// ErrNotFound: no such stream, host or service.
	ErrNotFound = errors.New("not found")
	// ErrSchema: the store's layout is none of those this program speaks (*LayoutError).
	ErrSchema = errors.New("the store and this program speak different layouts")
	// ErrReply: a script answered what its head does not promise.
	ErrReply = errors.New("unexpected reply")
)

// HoldError says that nothing is taken or given now. Ask again later.
type HoldError struct{ Reason stream.Reason }

func (e *HoldError) Error() string { return stream.Because(stream.CodeOnHold).After(e.Reason).String() }

// IsHold tells whether err is a HoldError.
func IsHold(err error) bool {
	var hold *HoldError
	return errors.As(err, &hold)
}
