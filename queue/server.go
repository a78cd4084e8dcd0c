package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"stream-api/internal/legible"
	"stream-api/stream"
)

// Defaults of Options.
const (
	DefaultConcurrency = 10
	DefaultStopTimeout = 5 * time.Second
)

// What asynq's server does by the clock.
const (
	// checkEvery is asynq's pause after a round of looks that found nothing.
	// While no look is worth it the server waits at the gate, not here.
	checkEvery = time.Millisecond
	// janitorEvery is how often what was completed long ago is removed, at the
	// cost of one call a queue. A run removes all that is due.
	janitorEvery = 2 * time.Minute
	// forwarderEvery: no task is ever scheduled or retried (see send), so the
	// forwarder has nothing to do.
	forwarderEvery = 24 * time.Hour
)

// Options are what the two kinds of servers have in common. Zero values mean
// the defaults.
type Options struct {
	// Redis is shared with the rest of the process; it must stay open until
	// Stop has returned.
	Redis     redis.UniversalClient
	Namespace string
	Log       zerolog.Logger
	// Concurrency is how many tasks are handled at once.
	Concurrency int
	// StopTimeout is how long Stop lets running handlers finish before their
	// context is cancelled and their tasks are given back.
	StopTimeout time.Duration
}

// EventHandler looks again at keys. An error is shown in asynqmon and not
// retried.
type EventHandler func(ctx context.Context, kind Kind, keys []string) error

// SlotHandler carries out a command. The result is shown in asynqmon beside
// the completed task ("claimed", "stale: …"); an error beside the archived
// one. Neither may hold secrets. It must heed its context, which ends after
// 30 s, when an operator cancels the task, and when the server must stop.
type SlotHandler func(ctx context.Context, c Command) (result string, err error)

// Server reads queues and hands what it reads to a handler, from Start to
// Stop.
type Server struct {
	log       zerolog.Logger
	name      string // for messages
	namespace string
	channel   string // on which it is woken
	asynq     *asynq.Server
	redis     *patientRedis
	keeper    *keeper
	handle    func(ctx context.Context, task *asynq.Task) (result string, err error)

	ctx    context.Context // ends when Stop begins
	cancel context.CancelFunc
	hinted atomic.Bool   // a hint was heard since Changed was last called
	deaf   chan struct{} // holds one: something waits of which nothing was heard

	mu      sync.Mutex
	state   serverState
	running sync.WaitGroup // handlers, the keeper and who listens
	stopped chan struct{}
}

// serverState is the life of a Server: made → started → stopping → stopped;
// no other step exists, but that a server never started may be stopped.
type serverState int

const (
	made serverState = iota
	started
	stopping
	stopped
)

// NewEventServer makes a server of the namespace's events. Any number may
// run at once: each event is read by one of them.
func NewEventServer(o Options, handle EventHandler) (*Server, error) {
	return newServer(o, "events", []string{eventQueueName(o.Namespace)}, func(ctx context.Context, t *asynq.Task) (string, error) {
		kind, keys, err := decodeEvents(t.Type(), t.Payload())
		if err != nil {
			return "", err
		}
		return "", handle(ctx, kind, keys)
	})
}

// NewSlotServer makes a server of the slot commands for the given types of
// one host. The list is fixed: for another one make another server.
func NewSlotServer(o Options, host string, types []string, handle SlotHandler) (*Server, error) {
	if len(types) == 0 {
		return nil, fmt.Errorf("queue server of %s: no types to serve", host)
	}
	queues := make([]string, len(types))
	for i, typ := range types {
		s := Service{Type: typ, Host: host}
		if err := s.Check(); err != nil {
			return nil, fmt.Errorf("queue server of %s: %w", stream.Quote(host), err)
		}
		queues[i] = slotQueueName(o.Namespace, s)
	}
	return newServer(o, host, queues, func(ctx context.Context, t *asynq.Task) (string, error) {
		c, err := decodeCommand(t.Type(), t.Payload())
		if err != nil {
			return "", err
		}
		want := slotQueueName(o.Namespace, Service{Type: c.Type, Host: c.Host})
		if got, _ := asynq.GetQueueName(ctx); got != want {
			return "", fmt.Errorf("command for %s lay in queue %s", want, got)
		}
		return handle(ctx, c)
	})
}

func newServer(o Options, name string, queues []string, handle func(context.Context, *asynq.Task) (string, error)) (*Server, error) {
	if err := CheckNamespace(o.Namespace); err != nil {
		return nil, fmt.Errorf("queue server of %s: %w", name, err)
	}
	if o.Redis == nil || o.Concurrency < 0 || o.StopTimeout < 0 {
		return nil, fmt.Errorf("queue server of %s: no Redis client, or a negative setting", name)
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = DefaultStopTimeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := o.Log.With().Str("queues", name).Logger()
	s := &Server{
		log: log, name: name, namespace: o.Namespace, channel: wakeChannel(o.Namespace, queues[0]),
		handle: handle, ctx: ctx, cancel: cancel, deaf: make(chan struct{}, 1), stopped: make(chan struct{}),
		redis: &patientRedis{UniversalClient: o.Redis, gate: newGate(ctx.Done(), queues), stop: ctx.Done(), log: log},
	}
	s.keeper = newKeeper(o.Redis, queues, s.found)
	priorities := make(map[string]int, len(queues))
	for _, q := range queues {
		priorities[q] = 1
	}
	s.asynq = asynq.NewServerFromRedisClient(s.redis, asynq.Config{
		Concurrency:              o.Concurrency,
		Queues:                   priorities,
		TaskCheckInterval:        checkEvery,
		DelayedTaskCheckInterval: forwarderEvery,
		JanitorInterval:          janitorEvery,
		ShutdownTimeout:          o.StopTimeout,
		Logger:                   &asynqLog{log: log, away: func() bool { return s.redis.problem() != nil }},
		LogLevel:                 asynq.WarnLevel,
	})
	return s, nil
}

// Start begins to read. It needs no Redis: until there is one, the server
// waits for it.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != made {
		return fmt.Errorf("queue server of %s: started before", s.name)
	}
	if err := s.asynq.Start(asynq.HandlerFunc(s.process)); err != nil {
		return fmt.Errorf("queue server of %s: %w", s.name, err)
	}
	s.state = started
	s.running.Go(func() {
		s.keeper.run(s.ctx, s.redis.healthy, func(err error) {
			s.log.Warn().Err(err).Msg("the queues are not in order; it is tried again in seconds")
			s.redis.gate.ring() // a look tells whether Redis is away
		})
	})
	s.running.Go(func() { s.listen(s.ctx) })
	return nil
}

// Wake has the server look at its queues now, if something waits there.
func (s *Server) Wake() { s.keeper.soon() }

// Changed is Wake unless a hint was heard since it was last called: where hints
// arrive they have said all that a change says.
func (s *Server) Changed() {
	if !s.hinted.Swap(false) {
		s.Wake()
	}
}

// Err is nil while the server reads its queues, else why it could not when it
// last tried. At rest it tries every keepEvery.
func (s *Server) Err() error { return s.redis.problem() }

// Stop reads no more, lets running handlers finish for StopTimeout, then
// cancels their contexts and gives their tasks back to the queue. It returns
// when no handler runs any more, or with an error when ctx ends first; what
// then still runs ends by itself, and a later Stop waits for it again. It may
// be called at any time and more than once.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	switch s.state {
	case made:
		s.state = stopped
		s.cancel()
		close(s.stopped)
	case started:
		s.state = stopping
		s.cancel()
		go s.shutDown()
	}
	s.mu.Unlock()
	select {
	case <-s.stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("queue server of %s still stops: %w", s.name, context.Cause(ctx))
	}
}

func (s *Server) shutDown() {
	s.asynq.Shutdown()
	s.mu.Lock()
	s.state = stopped // from here on enter lets no handler in
	s.mu.Unlock()
	s.running.Wait()
	close(s.stopped)
}

// enter counts a handler in. asynq gives a task back without waiting for its
// handler, which may not even have begun.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == stopped {
		return false
	}
	s.running.Add(1)
	return true
}

var errStopped = errors.New("the server was stopped")

// process is asynq's handler: it contains panics and writes the result.
func (s *Server) process(ctx context.Context, task *asynq.Task) (err error) {
	if !s.enter() {
		return errStopped
	}
	defer s.running.Done()
	defer func() {
		if err != nil {
			s.keeper.failed.Store(true)
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error().Str("task", task.ResultWriter().TaskID()).Bytes("stack", debug.Stack()).Msgf("a handler panicked: %v", p)
			err = shownError(fmt.Errorf("panic: %v", p))
		}
	}()
	result, err := s.handle(ctx, task)
	if err != nil {
		return shownError(err)
	}
	if result == "" {
		return nil
	}
	// The work is done: a result that cannot be written is no failure of it.
	if _, err := task.ResultWriter().Write([]byte(shown(result))); err != nil {
		s.log.Debug().Err(err).Str("task", task.ResultWriter().TaskID()).Msg("the result of a task is not shown")
	}
	return nil
}

// shownBytes bounds a reason or result in asynqmon.
const shownBytes = 2048

// shown makes text fit to be kept with a task, which asynqmon shows. asynq cannot
// store an error that is not valid UTF-8: the task would stay active until its
// lease ends. It masks before it cuts, as half a URL does not look like one.
func shown(text string) string {
	text = stream.Shown(text)
	if len(text) > shownBytes {
		return legible.Cut(text, shownBytes) + "…"
	}
	return text
}

// shownError keeps the text of an error and drops what it wraps. Some errors mean
// something to asynq (skip, retry); to us each error of a handler is a failure.
func shownError(err error) error { return errors.New(shown(err.Error())) }
