package realrun

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// ChildMain makes the test binary a child if its environment says so; call it
// first in TestMain. The child connects to its observer and stays until it is
// ended. Its environment may make it worse:
//
//	TEST_CHILD_MODE=deaf         it ignores TERM
//	TEST_CHILD_MODE=daemon       it ignores TERM and leaves a deaf copy of itself
//	                             behind, in a session of its own, without files
//	TEST_CHILD_FAIL_WHILE=FILE   it fails at once while the file exists
//	TEST_CHILD_RUN=COMMAND       it runs a command, and ends with it
//	TEST_CHILD_VARS=NAME=VALUE   it publishes a variable
//	TEST_CHILD_NOTE=TEXT         it tells the observer
func ChildMain() {
	socket := os.Getenv(childSocket)
	if socket == "" {
		return
	}
	code, err := playChild(socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
	}
	os.Exit(code)
}

func playChild(socket string) (code int, err error) {
	mode := os.Getenv("TEST_CHILD_MODE")
	if mode == "deaf" || mode == "daemon" {
		signal.Ignore(syscall.SIGTERM)
	}
	if flag := os.Getenv("TEST_CHILD_FAIL_WHILE"); flag != "" {
		if _, err := os.Stat(flag); err == nil {
			return 1, fmt.Errorf("told to fail while %s exists", flag)
		}
	}
	if mode == "daemon" {
		if err := leaveCopy(); err != nil {
			return 3, err
		}
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 3, err
	}
	if err := introduce(c); err != nil {
		return 3, err
	}
	if vars := os.Getenv("TEST_CHILD_VARS"); vars != "" {
		if err := os.WriteFile(os.Getenv("STREAM_API_VARS"), []byte(vars+"\n"), 0o600); err != nil {
			return 3, err
		}
	}
	if command := strings.Fields(os.Getenv("TEST_CHILD_RUN")); len(command) > 0 {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return 1, fmt.Errorf("%s: %w", command[0], err)
		}
		return 1, fmt.Errorf("%s ended by itself", command[0])
	}
	fmt.Println("child of", os.Getenv("STREAM_API_STREAM"), "lives")
	// Until the observer goes away: then the test is over.
	if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) {
		return 0, err
	}
	return 0, nil
}

// introduce tells the observer who lives.
func introduce(c net.Conn) error {
	var fields []string
	for _, name := range []string{"STREAM_API_STREAM", "STREAM_API_SLOT", "STREAM_API_HOST", "STREAM_API_TOKEN"} {
		fields = append(fields, os.Getenv(name))
	}
	fields = append(fields, fmt.Sprint(os.Getpid()), os.Getenv("TEST_CHILD_NOTE"))
	_, err := fmt.Fprintln(c, strings.Join(fields, "\t"))
	return err
}

// leaveCopy double-forks: setsid forks, and its parent half ends at once.
func leaveCopy() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command("setsid", "--fork", self)
	cmd.Env = append(os.Environ(), "TEST_CHILD_MODE=deaf", "TEST_CHILD_NOTE=copy")
	return cmd.Run()
}
