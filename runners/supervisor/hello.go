package supervisor

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Hello is what a runner says of itself when it connects.
type Hello struct {
	// Key is the slot's own, which Start was told and which lies where a child should not look. A process of the child's
	// user can reach the socket, and would otherwise drive another slot's child, or keep its own beyond the lease.
	Key string
	// TTL of the runner's lease: no deadline of its Go and Feed may be further ahead. At most a day.
	TTL time.Duration
}

// hash is what the spec keeps of the key: who reads the spec cannot say hello by it.
func (h Hello) hash() string {
	if h.Key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(h.Key))
	return hex.EncodeToString(sum[:])
}

// Bounds of who has not shown the key yet.
const (
	helloPatience = 10 * time.Second
	maxHello      = 1 << 10 // bytes of its line
	maxStrangers  = 16      // connections; one more cuts the oldest
	tellStrangers = time.Minute
)

// receive takes a connection in. Strangers cannot keep the runner out: the oldest of too many is cut.
func (s *server) receive(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strangers = append(s.strangers, c)
	if len(s.strangers) > maxStrangers {
		_ = s.strangers[0].socket.Close() // its reader ends by it
		s.strangers = slices.Delete(s.strangers, 0, 1)
	}
}

// known takes c off the strangers.
func (s *server) known(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strangers = slices.DeleteFunc(s.strangers, func(other *conn) bool { return other == c })
}

// greet reads the hello, makes c the runner and sends it the state.
func (s *server) greet(c *conn, in *bufio.Reader, socket *net.UnixConn) bool {
	r, err := s.readHello(in, socket)
	s.known(c)
	if err != nil {
		c.send(message{Reply: refusal(r.ID, err)})
		c.finish()
		if errors.Is(err, ErrKey) {
			s.tellOfStrangers(socket)
		}
		return false
	}
	c.ttl = r.TTL
	s.mu.Lock()
	if !c.open() { // it gave up waiting for us; the one that came after it may be here already
		s.mu.Unlock()
		c.finish()
		return false
	}
	old := s.runner
	s.runner = c
	spec, state := s.life.snapshot()
	c.send(message{Hello: &greeting{Major: ProtocolMajor, Minor: ProtocolMinor, Spec: spec, State: state}})
	s.mu.Unlock()
	// The unit's next life finds no controllers enabled, and so no limit in force. It is none of the runner's to wait for.
	go s.life.bound()
	if old != nil {
		old.send(message{Reply: refusal(0, ErrReplaced)})
		old.finish()
	}
	return true
}

// readHello reads a connection's first line and tells whether it may stay.
func (s *server) readHello(in *bufio.Reader, socket *net.UnixConn) (request, error) {
	if err := socket.SetReadDeadline(time.Now().Add(helloPatience)); err != nil {
		return request{}, err
	}
	line, err := in.ReadSlice('\n')
	if err != nil {
		return request{}, fmt.Errorf("%w: no hello: %w", ErrRequest, err)
	}
	r, err := decodeRequest(line)
	if err == nil && r.Op != opHello {
		err = fmt.Errorf("%w: %s before hello", ErrRequest, r.Op)
	}
	if err == nil {
		err = knows(r.Major, r.Minor)
	}
	if want := s.life.currentSpec().KeyHash; err == nil && subtle.ConstantTimeCompare([]byte(Hello{Key: r.Key}.hash()), []byte(want)) != 1 {
		err = ErrKey
	}
	if err == nil && (r.TTL <= 0 || r.TTL > farthest) {
		err = fmt.Errorf("%w: a hello with a ttl of %v", ErrRequest, r.TTL)
	}
	if err == nil {
		err = socket.SetReadDeadline(time.Time{})
	}
	return r, err
}

// tellOfStrangers says, once in a while, that somebody tried to speak to this supervisor who may not.
func (s *server) tellOfStrangers(socket *net.UnixConn) {
	s.mu.Lock()
	s.refused++
	n, due := s.refused, time.Since(s.toldRefused) > tellStrangers
	if due {
		s.refused, s.toldRefused = 0, time.Now()
	}
	s.mu.Unlock()
	if due {
		s.life.warn("refused to be spoken to by %s, who has not the slot's key (%d times)", peer(socket), n)
	}
}

// peer says who is at the other end.
func peer(socket *net.UnixConn) string {
	who := "somebody"
	raw, err := socket.SyscallConn()
	if err != nil {
		return who
	}
	_ = raw.Control(func(fd uintptr) { // closed meanwhile: nobody
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			who = fmt.Sprintf("pid %d of user %d", cred.Pid, cred.Uid)
		}
	})
	return who
}

// Terminate asks the supervisor of dir, by a signal, to stop its child gracefully and to end: for a runner that has lost
// the slot's key. It does not wait, and does nothing where none lives.
func Terminate(dir string) error {
	state, err := ReadState(dir)
	if err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil || state.BootID != boot {
		return err
	}
	if err := state.Supervisor.signal(unix.SIGTERM); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end the supervisor of %s: %w", dir, err)
	}
	return nil
}
