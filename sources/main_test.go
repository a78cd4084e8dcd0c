package sources

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
