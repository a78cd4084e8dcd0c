package sources

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be the command of an exec source.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_MAIN") {
	case "":
		goleak.VerifyTestMain(m)
	case "hangs":
		// A command that ignores TERM, hangs, and has a grandchild of its
		// own session that would outlive it.
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		grandchild := exec.Command("/proc/self/exe")
		grandchild.Env = append(os.Environ(), "TEST_MAIN=daemon")
		grandchild.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := grandchild.Start(); err != nil {
			panic(err)
		}
		time.Sleep(time.Hour) // to be killed
	case "daemon":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		if err := os.WriteFile(os.Getenv("PID_FILE"), []byte{}, 0o600); err != nil {
			panic(err)
		}
		time.Sleep(time.Hour) // to be killed
	}
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// timed gives the times that package config has for a source that says none.
func timed(c Config) Config {
	for at, value := range map[*time.Duration]time.Duration{
		&c.Interval: time.Second, &c.Timeout: 3 * time.Second, &c.GoneAfter: time.Minute, &c.StallAfter: 15 * time.Second,
	} {
		if *at == 0 {
			*at = value
		}
	}
	return c
}

// A time that is missing is a fault of who wired it, but gone_after may be 0.
func TestTimesAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	whole := timed(Config{Name: "x", URL: "http://in:8000", Chain: []string{"dist"}})
	whole.GoneAfter = 0
	if c, err := whole.complete(); err != nil || c.GoneAfter != 0 {
		t.Errorf("gone after %v, %v", c.GoneAfter, err)
	}
	for name, take := range map[string]func(*Config){
		"interval": func(c *Config) { c.Interval = 0 }, "timeout": func(c *Config) { c.Timeout = 0 }, "stall_after": func(c *Config) { c.StallAfter = 0 },
	} {
		c := whole
		take(&c)
		if _, err := c.complete(); err == nil || !strings.Contains(err.Error(), name+" must be positive") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
