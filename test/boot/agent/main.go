// Command agent is what the tests have in the guest. It runs their commands, which
// come over a virtio port, so that the guest needs no network:
//
//	agent serve          a line of JSON in, one out
//	agent child NAME     a child of a service: writes down when it starts and which signals it gets
//	agent deaf NAME      the same, and does not end on TERM
//	agent hog            takes memory until it is killed
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// port is where QEMU's port of this name appears.
const port = "/dev/virtio-ports/boot"

// notes is where children write.
const notes = "/var/log/children/"

func main() {
	var err error
	switch os.Args[1] {
	case "serve":
		err = serve()
	case "child", "deaf":
		err = child(os.Args[2], os.Args[1] == "deaf")
	case "hog":
		hog()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Order is one command of a shell.
type Order struct {
	ID  int64
	Run string
}

// Answer is what became of an Order: what it wrote, and its exit code.
type Answer struct {
	ID   int64
	Out  string
	Code int
}

func serve() error {
	f, err := os.OpenFile(port, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	in, out := bufio.NewReader(f), json.NewEncoder(f)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return err
		}
		var o Order
		if json.Unmarshal(line, &o) != nil {
			continue // the end of what was meant for the boot before
		}
		a := Answer{ID: o.ID}
		cmd := exec.Command("/bin/bash", "-c", o.Run)
		cmd.Env = append(os.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "HOME=/root", "LC_ALL=C")
		said, err := cmd.CombinedOutput()
		a.Out = string(said)
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			a.Code = exit.ExitCode()
		} else if err != nil {
			a.Code, a.Out = -1, a.Out+err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func child(name string, deaf bool) error {
	f, err := os.OpenFile(notes+name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, syscall.SIGTERM, syscall.SIGINT)
	if _, err := fmt.Fprintln(f, "start", os.Getpid()); err != nil {
		return err
	}
	for sig := range heard {
		if _, err := fmt.Fprintln(f, "got", sig.(syscall.Signal)); err != nil {
			return err
		}
		if !deaf {
			return nil
		}
	}
	return nil
}

// hog writes to what it takes, as memory that nobody touched is none.
func hog() {
	var all [][]byte
	for {
		piece := make([]byte, 16<<20)
		for i := 0; i < len(piece); i += 4096 {
			piece[i] = 1
		}
		all = append(all, piece)
		time.Sleep(20 * time.Millisecond)
		if len(all) > 1<<20 {
			return // never: so that all is used
		}
	}
}
