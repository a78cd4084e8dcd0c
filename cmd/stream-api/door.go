package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// door is the page's listening socket. It stays open while the process becomes
// its next life, so that who comes meanwhile waits instead of being refused.
type door struct {
	listen string   // web.listen, which it was opened for
	socket *os.File // nil: none is open
}

// doorVariable tells a life which descriptor the one before listened on, and
// for which web.listen: "7 127.0.0.1:8080".
const doorVariable = "STREAM_API_DOOR"

// inheritDoor takes over what the life before left open. It is said once.
func inheritDoor() (*door, error) {
	text, ok := os.LookupEnv(doorVariable)
	if !ok {
		return &door{}, nil
	}
	if err := os.Unsetenv(doorVariable); err != nil {
		return nil, err
	}
	number, listen, _ := strings.Cut(text, " ")
	fd, err := strconv.Atoi(number)
	if err != nil || fd <= int(os.Stderr.Fd()) {
		return &door{}, nil // set by hand
	}
	syscall.CloseOnExec(fd) // no child's
	return &door{listen: listen, socket: os.NewFile(uintptr(fd), "web.listen")}, nil
}

// await opens the door, however long that takes: a page that cannot be had must
// not end the host. tell is called with each failure, every pause. Error: ctx
// ended.
func (d *door) await(ctx context.Context, listen string, pause time.Duration, log zerolog.Logger, tell func(error)) (net.Listener, error) {
	said := ""
	for {
		l, err := d.open(ctx, listen, log)
		if err == nil {
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err.Error() != said {
			said = err.Error()
			log.Error().Err(err).Msg("there is no page: its address cannot be had; the host goes on, and tries again until it can")
		}
		tell(err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// open listens: on what is open already if it is for the same address.
func (d *door) open(ctx context.Context, listen string, log zerolog.Logger) (net.Listener, error) {
	if d.socket != nil && d.listen == listen {
		l, err := net.FileListener(d.socket)
		if err == nil {
			return l, nil
		}
		log.Warn().Err(err).Msg("the socket that the life before left open is of no use; listening anew")
	}
	d.close(log)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("web.listen: %w", err)
	}
	if tcp, ok := l.(*net.TCPListener); ok {
		if d.socket, err = tcp.File(); err != nil {
			log.Warn().Err(err).Msg("the page's socket cannot be kept over a reload")
		}
		d.listen = listen
	}
	return l, nil
}

// close lets go of what is open and not for this life.
func (d *door) close(log zerolog.Logger) {
	if d.socket == nil {
		return
	}
	if err := d.socket.Close(); err != nil {
		log.Warn().Err(err).Msg("the page's former socket did not close well")
	}
	d.socket = nil
}

// leaveOpen keeps the socket open over the exec that follows, and gives what
// the next life's environment says of it.
func (d *door) leaveOpen() ([]string, error) {
	if d.socket == nil {
		return nil, nil
	}
	raw, err := d.socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var env []string
	var failed syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, failed = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETFD, 0)
		env = []string{fmt.Sprintf("%s=%d %s", doorVariable, fd, d.listen)}
	}); err != nil {
		return nil, err
	}
	if failed != 0 {
		return nil, failed
	}
	return env, nil
}
