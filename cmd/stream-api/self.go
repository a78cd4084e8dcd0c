package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// running is the program that the kernel runs as this process, whatever has
// become of its file.
const running = "/proc/self/exe"

// asked is the path of the program that was asked for when this process was
// started, links and all. What lies there later is the version that whoever
// installs wants: a file that was moved away, or what a link led to before, is
// not. Empty: the path says nothing.
var asked = pathAsked(os.Args[0])

// pathAsked makes a path of argv[0], as a shell does.
func pathAsked(argv0 string) string {
	path, err := exec.LookPath(argv0)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		path, err = argv0, nil // taken away since; it may come back
		if filepath.Base(path) == path {
			return ""
		}
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return ""
	}
	// An argv[0] of the starter's invention leads to another program, or to none.
	there, err := os.Stat(path)
	if err != nil {
		return path
	}
	here, err := os.Stat(running)
	if err != nil || !os.SameFile(there, here) {
		return ""
	}
	return path
}

// self is the program to become at a reload: the one that was asked for, or the
// running one while there is none.
func self() string {
	if asked != "" && unix.Access(asked, unix.X_OK) == nil {
		return asked
	}
	return running
}
