package supervisor

import (
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	connQueue    = 256              // messages; a runner that is further behind is cut off and connects anew
	connPatience = 10 * time.Second // for one write
)

// conn is one runner's connection. Sending never waits: messages queue up, progress is kept only once, and who falls too
// far behind is cut off, which loses nothing, as whoever connects gets the whole state first.
type conn struct {
	socket *net.UnixConn
	ttl    time.Duration // of its hello

	mu       sync.Mutex
	queue    [][]byte
	progress []byte
	closing  bool // after what is queued

	more    chan struct{} // holds one
	written chan struct{} // closed when the writer has ended
}

func newConn(socket *net.UnixConn) *conn {
	c := &conn{socket: socket, more: make(chan struct{}, 1), written: make(chan struct{})}
	go c.write()
	return c
}

// send queues a message. One that cannot be encoded cuts the connection: the runner must not go on with a gap.
func (c *conn) send(m message) {
	line, err := encode(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return
	case err != nil || len(c.queue) >= connQueue:
		c.closing, c.queue, c.progress = true, nil, nil
		_ = c.socket.Close() // the writer may hang in it
	case m.Event != nil && m.Event.Kind == EventProgress:
		c.progress = line
	default:
		c.queue = append(c.queue, line)
	}
	c.wakeWriter()
}

// finish closes the connection after everything queued is written.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	c.wakeWriter()
}

func (c *conn) wakeWriter() {
	select {
	case c.more <- struct{}{}:
	default:
	}
}

func (c *conn) write() {
	defer close(c.written)
	defer func() { _ = c.socket.Close() }() // closing twice is no harm; the reader ends by it
	for range c.more {
		for {
			c.mu.Lock()
			batch, closing := c.queue, c.closing
			if c.progress != nil {
				batch = append(batch, c.progress)
			}
			c.queue, c.progress = nil, nil
			c.mu.Unlock()
			if len(batch) == 0 {
				if closing {
					return
				}
				break
			}
			for _, line := range batch {
				if c.socket.SetWriteDeadline(time.Now().Add(connPatience)) != nil {
					return
				}
				if _, err := c.socket.Write(line); err != nil {
					return
				}
			}
			// Or its timer would wake an idle process ten seconds later.
			if c.socket.SetWriteDeadline(time.Time{}) != nil {
				return
			}
		}
	}
}

// open reports whether the other side still holds its end. It asks the kernel, as what was sent before a runner's death is
// read after it.
func (c *conn) open() bool {
	raw, err := c.socket.SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		_, pollErr := unix.Poll(poll, 0)
		open = pollErr == nil && poll[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) == 0
	})
	return err == nil && open
}
