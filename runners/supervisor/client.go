package supervisor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLost: the connection ended without the supervisor having said that it is done. It may live on (then Adopt gives
// another connection) or be gone (then List and Finish tell).
var ErrLost = errors.New("connection to the supervisor lost")

// Client is a runner's hold on one supervisor. Its methods may be used by several goroutines.
type Client struct {
	dir    string
	spec   Spec
	state  State
	socket *net.UnixConn

	sending sync.Mutex
	nextID  uint64

	mu      sync.Mutex
	pending map[uint64]chan reply
	queue   []Event
	result  *End
	err     error
	closed  bool

	fed    atomic.Int64
	more   chan struct{} // holds one
	quit   chan struct{} // closed by Close
	events chan Event    // closed when all are delivered
	done   chan struct{} // closed when the connection is over
	idle   chan struct{} // closed when deliver has ended
}

// Adopt connects to the supervisor of dir, which may have been started by another process. It takes the child over: an
// earlier runner's connection ends with ErrReplaced. It gives ErrKey without the slot's key, ErrVersion if the two do not understand each other, and a
// connection error if nobody listens; List then tells whether the supervisor is gone. One that does not answer within
// ctx's deadline (it may be stopped) gives that deadline's error.
func Adopt(ctx context.Context, dir string, hello Hello) (*Client, error) {
	c, err := dial(ctx, dir, hello)
	if err != nil {
		return nil, fmt.Errorf("adopt %s: %w", dir, err)
	}
	return c, nil
}

func dial(ctx context.Context, dir string, hello Hello) (*Client, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "unix", filepath.Join(dir, fileSocket))
	if err != nil {
		return nil, err
	}
	socket := raw.(*net.UnixConn)
	unhook := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) }) // fails only if closed
	in := bufio.NewScanner(socket)
	in.Buffer(make([]byte, 0, 4096), maxMessage)
	c := &Client{
		dir: dir, socket: socket, pending: map[uint64]chan reply{}, nextID: 1,
		more: make(chan struct{}, 1), quit: make(chan struct{}), events: make(chan Event), done: make(chan struct{}), idle: make(chan struct{}),
	}
	err = c.hello(in, hello)
	if !unhook() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	go c.read(in)
	go c.deliver()
	return c, nil
}

func (c *Client) hello(in *bufio.Scanner, hello Hello) error {
	line, err := encode(request{ID: c.nextID, Op: opHello, Major: ProtocolMajor, Minor: ProtocolMinor, Key: hello.Key, TTL: hello.TTL})
	if err != nil {
		return err
	}
	if _, err := c.socket.Write(line); err != nil {
		return err
	}
	if !in.Scan() {
		return errors.Join(ErrLost, in.Err())
	}
	m, err := decodeMessage(in.Bytes())
	switch {
	case err != nil:
		return err
	case m.Reply != nil && m.Reply.err() != nil:
		return m.Reply.err()
	case m.Hello == nil:
		return errors.New("the supervisor did not greet")
	}
	c.spec, c.state = m.Hello.Spec, m.Hello.State
	c.fed.Store(c.state.Deadline)
	return knows(m.Hello.Major, m.Hello.Minor)
}

// Spec is that of the child at the moment of connecting.
func (c *Client) Spec() Spec { return c.spec }

// State is that of the moment of connecting; what happens later is told by Events.
func (c *Client) State() State { return c.state }

// Events gives what happens to the child, in order, and is closed when the connection is over. An event may repeat what
// State said already. Nobody is held up if it is read slowly; a thousand unread ones end the connection with ErrLost.
func (c *Client) Events() <-chan Event { return c.events }

// Done is closed when the connection is over: see Err.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the connection is over: nil after the supervisor was done, else ErrLost, ErrReplaced, or net.ErrClosed
// after Close.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Result is how the supervisor ended, or nil as long as it did not say so.
func (c *Client) Result() *End {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.result
}

// Fed is the deadline the supervisor last confirmed. One that falls behind is not running: stopped, or starved.
func (c *Client) Fed() int64 { return c.fed.Load() }

// Close lets go of the child, which lives on until its deadline. It must be called for each Client, also for one whose
// connection is over, and may be called again.
func (c *Client) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	close(c.quit)
	c.mu.Unlock()
	err := c.socket.Close()
	<-c.done
	<-c.idle
	if errors.Is(err, net.ErrClosed) {
		return nil // the supervisor was first
	}
	return err
}

// Go starts the child, unless deadline (of Now's clock) has passed: then ErrLapsed, and the supervisor ends without it.
// ErrGone if it was started before.
func (c *Client) Go(ctx context.Context, deadline int64) error {
	_, err := c.ask(ctx, request{Op: opGo, Deadline: deadline})
	return err
}

// Feed gives the child a new deadline, later or earlier. It does not wait: Fed tells what was taken, and a deadline that
// had lapsed before is told by the events deadline and done.
func (c *Client) Feed(deadline int64) error {
	_, err := c.send(request{Op: opFeed, Deadline: deadline})
	return err
}

// Stop ends the child for good: stop signal, grace, KILL to the whole tree, post_stop. It returns when all that is done, with
// how it went, or when ctx is over, which changes nothing about the stop.
func (c *Client) Stop(ctx context.Context) (*End, error) { return c.finish(ctx, opStop) }

// End is Stop without a grace.
func (c *Client) End(ctx context.Context) (*End, error) { return c.finish(ctx, opEnd) }

func (c *Client) finish(ctx context.Context, op operation) (*End, error) {
	if _, err := c.ask(ctx, request{Op: op}); err != nil && !errors.Is(err, ErrLost) {
		return nil, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return c.Result(), c.Err()
}

// Restart stops the child gracefully and starts it anew with next, under the same token and directory. It returns
// when the supervisor has taken it in; exited and started follow. It counts neither as a failure nor for the backoff.
func (c *Client) Restart(ctx context.Context, next Exec) error {
	_, err := c.ask(ctx, request{Op: opRestart, Change: &next})
	return err
}

// Change has the child told that it would be started with next now, under the same token and directory: the file behind EnvEnv
// has the new environment, and signal (HUP, USR1, USR2; empty: none) is sent to the child, and to nothing that it started, once
// the file is replaced and it is a second old. The next start is with next. It returns when the supervisor has taken it in.
func (c *Client) Change(ctx context.Context, next Exec, signal string) error {
	_, err := c.ask(ctx, request{Op: opChange, Change: &next, Signal: signal})
	return err
}

// Kick starts a waiting child at once, with fresh backoff: its publisher is back.
func (c *Client) Kick(ctx context.Context) error {
	_, err := c.ask(ctx, request{Op: opKick})
	return err
}

// SetAway says whether the publisher is away. While it is, exits are not counted as failures; restarts go on.
func (c *Client) SetAway(ctx context.Context, away bool) error {
	_, err := c.ask(ctx, request{Op: opAway, Away: away})
	return err
}

// SetPace sets the least delay between an end and the next start, 0 for none: what fails everywhere is retried slowly.
func (c *Client) SetPace(ctx context.Context, pace time.Duration) error {
	_, err := c.ask(ctx, request{Op: opPace, Pace: pace})
	return err
}

// ask sends r and waits for its reply.
func (c *Client) ask(ctx context.Context, r request) (reply, error) {
	answer, err := c.send(r)
	if err != nil {
		return reply{}, err
	}
	select {
	case got := <-answer:
		return got, got.err()
	case <-ctx.Done():
		return reply{}, fmt.Errorf("%s: %w", r.Op, context.Cause(ctx))
	case <-c.done:
		select {
		case got := <-answer: // it came just before
			return got, got.err()
		default:
			return reply{}, fmt.Errorf("%s: %w", r.Op, c.overErr())
		}
	}
}

func (c *Client) overErr() error {
	if err := c.Err(); err != nil {
		return err
	}
	return ErrLost
}

// send sends r without waiting for its reply. A supervisor that takes nothing in for a second gives an error.
func (c *Client) send(r request) (<-chan reply, error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.nextID++
	r.ID = c.nextID
	line, err := encode(r)
	if err != nil {
		return nil, err
	}
	answer := make(chan reply, 1)
	c.mu.Lock()
	c.pending[r.ID] = answer
	c.mu.Unlock()
	err = c.socket.SetWriteDeadline(time.Now().Add(time.Second))
	if err == nil {
		_, err = c.socket.Write(line)
	}
	if err != nil {
		// Half a line may be written: nothing after it would be understood.
		_ = c.socket.Close()
		return nil, fmt.Errorf("%s: %w: %w", r.Op, c.overErr(), err)
	}
	return answer, nil
}

// read takes in what the supervisor says until the connection is over.
func (c *Client) read(in *bufio.Scanner) {
	err := ErrLost
	for err == ErrLost && in.Scan() {
		m, decodeErr := decodeMessage(in.Bytes())
		switch {
		case decodeErr != nil:
			err = errors.Join(ErrLost, decodeErr)
		case m.Reply != nil && m.Reply.ID == 0:
			if err = m.Reply.err(); err == nil {
				err = ErrLost
			}
		case m.Reply != nil:
			c.answered(*m.Reply)
		case m.Event != nil && !c.enqueue(*m.Event):
			err = fmt.Errorf("%w: events were not read", ErrLost)
		}
	}
	_ = c.socket.Close() // Close may have done so already
	c.mu.Lock()
	switch {
	case c.result != nil:
		err = nil
	case c.closed:
		err = net.ErrClosed
	}
	c.err = err
	c.mu.Unlock()
	if err == nil || errors.Is(err, ErrLost) {
		go bury(c.state.Supervisor)
	}
	close(c.done)
}

func (c *Client) answered(r reply) {
	if r.Deadline != 0 && r.Code == "" {
		c.fed.Store(r.Deadline)
	}
	c.mu.Lock()
	answer := c.pending[r.ID]
	delete(c.pending, r.ID)
	c.mu.Unlock()
	if answer != nil {
		answer <- r
	}
}

// enqueue reports false when too much is unread.
func (c *Client) enqueue(e Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Kind == EventDone {
		c.result = e.End
	}
	if n := len(c.queue); n > 0 && e.Kind == EventProgress && c.queue[n-1].Kind == EventProgress {
		c.queue[n-1] = e
		return true
	}
	if len(c.queue) >= 1000 {
		return false
	}
	c.queue = append(c.queue, e)
	select {
	case c.more <- struct{}{}:
	default:
	}
	return true
}

// deliver hands the events over at the reader's own speed.
func (c *Client) deliver() {
	defer close(c.idle)
	defer close(c.events)
	for over := false; ; {
		c.mu.Lock()
		batch := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, e := range batch {
			select {
			case c.events <- e:
			case <-c.quit:
				return
			}
		}
		if over && len(batch) == 0 {
			return
		}
		select {
		case <-c.more:
		case <-c.done:
			over = true
		}
	}
}

// bury collects a supervisor that was our own child and has gone or is about to. A runner that execs itself anew keeps its
// children without knowing them, so this goes by pid and start time, and does nothing for what is not ours.
func bury(p Process) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return // gone altogether
	}
	defer func() { _ = unix.Close(fd) }() // nothing was written to it
	if s, err := readStat(p.PID); err != nil || s.start != p.Start {
		return
	}
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 5000)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return // it lives: the connection alone was lost
		}
		_ = unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG, nil) // ECHILD: somebody else's
		return
	}
}
