// Package probe asks once whether something answers: a small GET, or a connection. Who is asked may be broken or hostile:
// no answer takes longer than its context, none is read further than HeadLimit, and none leads to another host.
//
// The GET is written here because supervisors send it, of which there is one for each child: net/http would cost each some
// hundred KiB.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"stream-api/internal/legible"
)

// CheckAddress reports what is wrong with the address of TCP.
func CheckAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return fmt.Errorf("%q is no HOST:PORT", address)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q: a port is a number from 1 to 65535", address)
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || legible.Odd(r) }) {
		return fmt.Errorf("%q: no name of a host", address)
	}
	return nil
}

// TCP tells whether somebody listens at HOST:PORT; the error says why not, in a few words.
func TCP(ctx context.Context, address string) error {
	conn, err := dial(ctx, address)
	if err != nil {
		return fmt.Errorf("tcp %s: %w", legible.Line(address), err)
	}
	return conn.Close()
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, plain(ctx, err)
	}
	return conn, nil
}

// plain says in a few words what the network's error comes to.
func plain(ctx context.Context, err error) error {
	var errno syscall.Errno
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &dns):
		return errors.New(legible.Line(dns.Err))
	}
	return err
}
