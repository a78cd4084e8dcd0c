package program

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Each file is really started, and what the kernel answers is compared with
// what Check says before, so that neither can be right alone.
func TestWhatCannotBeRunIsSaidBeforeAndAfterTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	foreign := append([]byte(nil), self[:4096]...)
	foreign[18], foreign[19] = 0xf7, 0x00 // e_machine: BPF, which nobody runs
	for _, row := range []struct {
		name string
		make func(t *testing.T, path string)
		want string // part of the text; empty: it can be run
	}{
		{"script", script("#!/bin/sh\nexit 0\n", 0o755), ""},
		{"blanks", script("#! \t/bin/sh  -e \nexit 0\n", 0o755), ""},
		{"env", script("#!/usr/bin/env sh\nexit 0\n", 0o755), ""},
		{"no newline", script("#!/bin/true", 0o755), ""},
		{"nested", func(t *testing.T, path string) {
			script("#!/bin/sh\n", 0o755)(t, path+"1")
			script("#!"+path+"1\n", 0o755)(t, path)
		}, ""},
		{"crlf", script("#!/bin/sh\r\necho hi\r\n", 0o755), "CRLF line ends"},
		{"crlf with an argument", script("#!/bin/nobody -e\r\necho hi\r\n", 0o755), "CRLF line ends"},
		{"missing interpreter", script("#!/opt/none/python3\n", 0o755), "its interpreter /opt/none/python3 does not exist"},
		{"relative interpreter", script("#!python3\n", 0o755), "no absolute path"},
		{"interpreter not executable", func(t *testing.T, path string) {
			script("#!/bin/sh\n", 0o644)(t, path+"1")
			script("#!"+path+"1\n", 0o755)(t, path)
		}, "1 is not executable"},
		{"interpreter is a directory", script("#!/usr\n", 0o755), "its interpreter /usr is a directory"},
		{"nameless", script("#!\necho hi\n", 0o755), "names no interpreter"},
		{"long first line", script("#!/"+strings.Repeat("x", 300)+"\n", 0o755), "longer than"},
		{"no first line", script("echo hi\n", 0o755), "without a first line"},
		{"bom", script("\ufeff#!/bin/sh\n", 0o755), "byte order mark"},
		{"utf-16", script("\xff\xfe#\x00!\x00", 0o755), "UTF-16"},
		{"noise", script("\x00\x01\x02\x03", 0o755), "neither a program"},
		{"empty", script("", 0o755), "is empty"},
		{"no x bit", script("#!/bin/sh\n", 0o644), "not executable"},
		{"directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o755)) }, "is a directory"},
		{"fifo", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o755)) }, "no regular file"},
		{"dead link", func(t *testing.T, path string) { must(t, os.Symlink("/opt/none", path)) }, "is a link to /opt/none"},
		{"link in a circle", func(t *testing.T, path string) { must(t, os.Symlink(path, path)) }, "too many levels"},
		{"below a file", func(t *testing.T, path string) {}, "does not exist"},
		{"half a program", script(string(self[:40]), 0o755), "not copied whole"},
		{"another libc", script(strings.Replace(string(dynamic(t)), "/ld-linux", "/no-linux", 1), 0o755), "its loader /lib"},
		{"another machine", script(string(foreign), 0o755), "another machine"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(row.name, " ", "-"))
			row.make(t, path)
			before, ran := Check(path), exec.Command(path).Run()
			switch {
			case row.want == "" && (before != nil || ran != nil):
				t.Errorf("before: %v; the start: %v; want neither", before, ran)
			case row.want != "" && ran == nil:
				t.Error("the kernel runs it")
			case row.want != "" && (before == nil || !strings.Contains(before.Error(), row.want)):
				t.Errorf("before: %v; want %q", before, row.want)
			}
			after := Explain(path, ran)
			if row.want != "" && (after == nil || !strings.Contains(after.Error(), row.want)) {
				t.Errorf("after: %v; want %q", after, row.want)
			}
		})
	}
}

func TestAFileThatIsBeingWrittenIsSaidByItsStart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "busy")
	script("#!/bin/sh\n", 0o755)(t, path)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	ran := exec.Command(path).Run()
	if !errors.Is(ran, syscall.ETXTBSY) {
		t.Skipf("this kernel runs what is being written: %v", ran)
	}
	if why := Explain(path, ran); !strings.Contains(why.Error(), "open for writing") {
		t.Error(why)
	}
}

func script(text string, mode os.FileMode) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		t.Helper()
		must(t, os.WriteFile(path, []byte(text), 0o600))
		must(t, os.Chmod(path, mode))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dynamic is a program that needs a loader; the test is for the machines that
// have the usual one.
func dynamic(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("/bin/true")
	must(t, err)
	return text
}
