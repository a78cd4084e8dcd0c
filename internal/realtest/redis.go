package realtest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// startLimit bounds the start of a server; it is generous because tests run
// in parallel on small machines, and a server that is ready is seen at once.
const startLimit = 2 * time.Minute

// silence ends go-redis's own talk on stderr, a line for each failed dial, in
// which the output of a test of an outage would drown.
var silence = sync.OnceFunc(func() { redis.SetLogger(&logging.VoidLogger{}) })

// RedisServer is a real redis-server of one test. Its methods are called
// from the test's goroutine; they fail the test when the server does not
// obey.
type RedisServer struct {
	// Addr is the path of the server's unix socket; it stays the same over
	// Stop, Kill and Start.
	Addr string
	// Dir is the server's directory: its log, and its data if the test
	// asked for persistence.
	Dir string

	t      testing.TB
	env    []string // beside the test's own
	args   []string
	run    *process
	client *redis.Client
}

// Redis starts a redis-server without persistence and without a TCP port.
// Args are appended to its command line and win over the defaults, such as
// "--appendonly", "yes". The server ends with the test.
func Redis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return startRedis(t, nil, args)
}

func startRedis(t testing.TB, env, args []string) *RedisServer {
	t.Helper()
	silence()
	// Not t.TempDir: a long test name would exceed the 107 bytes of a
	// socket's path.
	dir, err := os.MkdirTemp("", "realtest-redis-")
	if err != nil {
		t.Fatalf("directory for redis-server: %v", err)
	}
	s := &RedisServer{Addr: filepath.Join(dir, "s"), Dir: dir, t: t, env: env, args: args}
	t.Cleanup(func() {
		if s.client != nil {
			if err := s.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
				t.Errorf("close the client of redis-server: %v", err)
			}
		}
		if s.run != nil {
			s.Kill()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the directory of redis-server: %v", err)
		}
	})
	s.Start()
	return s
}

// Start starts the server again after Stop or Kill, in the same directory
// and at the same address, and returns when it answers.
func (s *RedisServer) Start() {
	s.t.Helper()
	if s.run != nil {
		s.t.Fatal("redis-server runs already")
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("redis-server is not installed, and this test needs a real one: apt-get install redis-server (%v)", err)
	}
	log := filepath.Join(s.Dir, "log")
	args := append([]string{
		"--port", "0", "--unixsocket", s.Addr, "--dir", s.Dir, "--logfile", log,
		"--save", "", "--appendonly", "no", "--daemonize", "no",
	}, s.args...)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), s.env...)
	s.run, err = start(cmd)
	if err != nil {
		s.t.Fatalf("start redis-server: %v", err)
	}
	if err := s.awaitReady(); err != nil {
		text, _ := os.ReadFile(log)
		s.t.Fatalf("redis-server is not ready: %v\n%s", err, text)
	}
}

// Stop ends the server by SIGTERM, upon which it writes what persistence it
// was told to keep.
func (s *RedisServer) Stop() {
	s.t.Helper()
	s.end(syscall.SIGTERM)
}

// Kill ends the server by SIGKILL, as a crash or a power cut would.
func (s *RedisServer) Kill() {
	s.t.Helper()
	s.end(syscall.SIGKILL)
}

// Freeze halts the server with its connections open (SIGSTOP): clients see
// no error, only silence.
func (s *RedisServer) Freeze() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
}

// Thaw lets a frozen server go on.
func (s *RedisServer) Thaw() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
}

// PID is the process id of the running server, 0 when it is stopped.
func (s *RedisServer) PID() int {
	if s.run == nil {
		return 0
	}
	return s.run.cmd.Process.Pid
}

// URL is the server's address in the form the configuration takes.
func (s *RedisServer) URL() string { return "unix://" + s.Addr }

// Client is a client of this server, the same at each call, closed with the
// test.
func (s *RedisServer) Client() *redis.Client {
	if s.client == nil {
		s.client = redis.NewClient(s.Options())
	}
	return s.client
}

// Options are the options of a client of this server; a test that makes a
// client of its own closes it. Their limits are short, so that a test of an
// outage does not sit through the retries of a production client.
func (s *RedisServer) Options() *redis.Options {
	return &redis.Options{
		Network:               "unix",
		Addr:                  s.Addr,
		DialTimeout:           time.Second,
		ReadTimeout:           2 * time.Second,
		WriteTimeout:          2 * time.Second,
		DialerRetries:         1,
		MaxRetryBackoff:       50 * time.Millisecond,
		ContextTimeoutEnabled: true,
		MaintNotificationsConfig: &maintnotifications.Config{
			Mode: maintnotifications.ModeDisabled, // a feature of hosted servers
		},
	}
}

func (s *RedisServer) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.run == nil {
		s.t.Fatalf("%v for redis-server, which does not run", sig)
	}
	if err := s.run.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("%v for redis-server: %v", sig, err)
	}
}

func (s *RedisServer) end(sig syscall.Signal) {
	s.t.Helper()
	s.signal(sig)
	select {
	case <-s.run.done:
	case <-time.After(startLimit):
		s.t.Fatalf("redis-server (pid %d) is not gone %v after %v", s.PID(), startLimit, sig)
	}
	s.run = nil
}

// awaitReady returns when the server answers PING with PONG; while it reads
// its data back it answers LOADING.
func (s *RedisServer) awaitReady() error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(startLimit)
	for {
		err := ping(s.Addr)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.run.done:
			pid := s.PID()
			s.run = nil
			return fmt.Errorf("pid %d ended", pid)
		case <-limit:
			return err
		}
	}
}

func ping(socket string) error {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // nothing was written that could be lost
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	// A server with a password is as ready as one without.
	if strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH") {
		return nil
	}
	return fmt.Errorf("it answers %q", strings.TrimSpace(line))
}

// process is a started command. Its done channel is closed when it ended.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start starts cmd so that it dies with this process. The kernel ties
// Pdeathsig to the forking thread, so one goroutine keeps that thread for as
// long as the command runs.
func start(cmd *exec.Cmd) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is what the test decided
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}
