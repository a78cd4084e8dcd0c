package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
)

// namedConn is a connection from some address.
type namedConn struct {
	net.Conn
	from net.Addr
}

func (c namedConn) RemoteAddr() net.Addr { return c.from }
func (c namedConn) Close() error         { return nil }

func fromAddress(address string) namedConn {
	return namedConn{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
}

func TestStrangersHaveTheirRoomAndHoldersTheirs(t *testing.T) {
	t.Parallel()
	c := newCrowd(nil, NewMetrics(""), zerolog.Nop())
	enter := func(address string) *visitor {
		v, _ := c.enter(fromAddress(address))
		return v
	}
	var neighbours []*visitor
	for i := range maxNeighbours {
		v := enter(fmt.Sprintf("[2001:db8::%x]:1", i))
		if v == nil {
			t.Fatalf("connection %d of one network is refused", i)
		}
		neighbours = append(neighbours, v)
	}
	if enter("[2001:db8::ffff]:1") != nil {
		t.Errorf("a network has more than %d connections", maxNeighbours)
	}
	if err := neighbours[0].Close(); err != nil {
		t.Fatal(err)
	}
	_ = neighbours[0].Close() // twice, as servers do: it counts once
	if enter("[2001:db8::ffff]:1") == nil || enter("[2001:db8::fffe]:1") != nil {
		t.Error("a connection that ended makes room for one, not for none and not for two")
	}
	neighbours[1].known()
	neighbours[1].known()
	if enter("[2001:db8::fffd]:1") == nil || enter("[2001:db8::fffc]:1") != nil {
		t.Error("who showed the token makes room for one")
	}
	// This machine's own are a proxy's, for everybody.
	last := 0
	for last = maxNeighbours; enter(fmt.Sprintf("127.0.0.1:%d", last)) != nil; last++ {
		if last > 2*maxStrangers {
			t.Fatal("there is no end of strangers")
		}
	}
	if got := last; got != maxStrangers {
		t.Errorf("%d strangers are in; want %d", got, maxStrangers)
	}
	if enter("192.0.2.1:1") != nil {
		t.Error("one more stranger is let in from elsewhere")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.strangers != maxStrangers || c.holders != 1 {
		t.Errorf("%d strangers and %d holders are counted", c.strangers, c.holders)
	}
}

func TestConnectionsLeaveDescriptorsToTheRest(t *testing.T) {
	t.Parallel()
	l := listen(t, "")
	c := newCrowd(l, NewMetrics(""), zerolog.Nop())
	defer func() { _ = c.Close() }() // nothing is lost
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	limit := uint64(len(open) + descriptorsSpare/2)
	c.descriptors = func() uint64 { return limit }
	dialled := make(chan error, 1)
	go func() {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_, err = conn.Read(make([]byte, 1)) // until it is hung up on
			_ = conn.Close()                    // that one
		}
		dialled <- err
	}()
	entered := make(chan net.Conn, 1)
	go func() {
		if conn, err := c.Accept(); err == nil {
			entered <- conn
		}
	}()
	if err := <-dialled; !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("with few descriptors left: %v; want to be hung up on", err)
	}
	select {
	case <-entered:
		t.Error("it was let in all the same")
	default:
	}
}

func TestWhoShowedTheTokenIsCountedAsAHolder(t *testing.T) {
	t.Parallel()
	s, err := store.New(realtest.Redis(t).Client(), store.Options{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	server, err := New(Options{Store: s, Listen: "127.0.0.1:0", Token: testToken, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	c := newCrowd(listen(t, ""), server.metrics, zerolog.Nop())
	h := &http.Server{Handler: server.Handler(), ConnContext: withVisitor, IdleTimeout: time.Minute, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- h.Serve(c) }()
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		<-served
	}()
	counts := func() (strangers, holders int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.strangers, c.holders
	}
	for name, step := range map[string]struct {
		head               string
		strangers, holders int
	}{
		"without a token":    {"", 1, 0},
		"with a wrong token": {"Authorization: Bearer " + testToken + "x\r\n", 1, 0},
		"with the token":     {"Authorization: Bearer " + testToken + "\r\n", 0, 1},
	} {
		conn, err := net.Dial("tcp", c.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /assets/app.css HTTP/1.1\r\nHost: 127.0.0.1\r\n"+step.head+"\r\n"); err != nil {
			t.Fatal(err)
		}
		if answer, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		} else {
			_ = answer.Body.Close() // that it came is all that counts
		}
		if strangers, holders := counts(); strangers != step.strangers || holders != step.holders {
			t.Errorf("%s: %d strangers, %d holders", name, strangers, holders)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		realtest.Await(t, patience, "the connection is counted out", func() bool {
			strangers, holders := counts()
			return strangers+holders == 0
		})
	}
}

// deadlines notes what it is told.
type deadlines struct {
	net.Conn
	last time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.last = t; return nil }

func TestAStrangerMayNotIdle(t *testing.T) {
	t.Parallel()
	c := newCrowd(nil, NewMetrics(""), zerolog.Nop())
	below := &deadlines{}
	v := &visitor{Conn: below, crowd: c}
	c.strangers++
	set := func(long time.Duration) time.Duration {
		if err := v.SetReadDeadline(time.Now().Add(long)); err != nil {
			t.Fatal(err)
		}
		return time.Until(below.last).Round(time.Second)
	}
	if got := set(time.Minute); got != time.Minute {
		t.Errorf("while it asks: %v", got)
	}
	v.turns(http.StateIdle)
	if got := set(time.Minute); got > strangerIdle {
		t.Errorf("idle: %v; want %v at most", got, strangerIdle)
	}
	v.known()
	if got := set(time.Minute); got != time.Minute {
		t.Errorf("idle, with the token shown: %v", got)
	}
	if err := v.SetReadDeadline(time.Time{}); err != nil || !below.last.IsZero() {
		t.Errorf("no deadline: %v, %v", below.last, err)
	}
}
