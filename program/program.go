// Package program says why the kernel would not run a file. It looks at the
// file as execve does: what it is, whether we may run it, and, for a script,
// at the interpreter that its first line names. A supervisor asks it after a
// start that failed; check-config asks it before any.
package program

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// firstLine is how much of a script's first line the kernel reads
// (BINPRM_BUF_SIZE in linux/binfmts.h).
const firstLine = 256

// maxNesting is how many scripts in a row may be each other's interpreter
// (exec_binprm in fs/exec.c).
const maxNesting = 5

// Check says why path cannot be run by this process, and what to do about it,
// or nil. It opens nothing that could block, and cannot see that the file is
// being written, which only a start tells.
func Check(path string) error { return check(path, 0) }

// Explain is Check after a start that failed with err: it says more than err
// where there is more to say.
func Explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ETXTBSY):
		return fmt.Errorf("%s is open for writing: whoever installs it has not closed it yet; write a new file beside it and move that into place", path)
	case errors.Is(err, unix.E2BIG):
		return fmt.Errorf("%s: its arguments and environment are longer than the kernel takes (128 KiB each, together a quarter of the stack's limit)", path)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELIBBAD),
		errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPERM), errors.Is(err, unix.ENAMETOOLONG):
		if why := Check(path); why != nil {
			return why
		}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// Interpreter is what the first line of a script names, or "".
func Interpreter(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return "" // to open it could block
	}
	head, err := headOf(path)
	if err != nil || !bytes.HasPrefix(head, []byte("#!")) {
		return ""
	}
	line, _, _ := bytes.Cut(head[2:], []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

func check(path string, depth int) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(path)
	case err != nil:
		return fmt.Errorf("%s: %w", path, reason(err))
	case info.IsDir():
		return fmt.Errorf("%s is a directory; name the program in it", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", path)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not executable; `chmod +x` it", path)
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return fmt.Errorf("%s may not be run by this user (%w): look at its owner and mode %v, and whether its file system is mounted noexec", path, err, info.Mode().Perm())
	}
	head, err := headOf(path)
	if err != nil {
		return nil // to be run it need not be readable
	}
	return checkHead(path, head, depth)
}

// missing says of a path that is not there whether it is a link to nothing.
func missing(path string) error {
	if target, err := os.Readlink(path); err == nil {
		return fmt.Errorf("%s is a link to %s, which does not exist", path, target)
	}
	return fmt.Errorf("%s does not exist", path)
}

// reason leaves out of a *PathError what its caller says already.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// headOf reads the beginning of a regular file.
func headOf(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	head := make([]byte, firstLine)
	n, err := io.ReadFull(f, head)
	_ = f.Close() // only read from
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return head[:n], nil
}

func checkHead(path string, head []byte, depth int) error {
	switch {
	case len(head) == 0:
		return fmt.Errorf("%s is empty", path)
	case bytes.HasPrefix(head, []byte("#!")):
		return checkScript(path, head, depth)
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return checkELF(path, head)
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return fmt.Errorf("%s begins with a byte order mark, so the kernel does not see its first line; save it as UTF-8 without one", path)
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return fmt.Errorf("%s is UTF-16; save it as UTF-8 without a byte order mark", path)
	case bytes.IndexByte(head, 0) < 0:
		return fmt.Errorf("%s is a script without a first line that names its interpreter, such as #!/bin/sh", path)
	}
	return fmt.Errorf("%s is neither a program of this machine nor a script", path)
}

func checkScript(path string, head []byte, depth int) error {
	line, _, ended := bytes.Cut(head[2:], []byte("\n"))
	text := strings.Trim(string(line), " \t")
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(fields) == 0 || fields[0] == "\r" {
		return fmt.Errorf("%s names no interpreter after #! in its first line; write #!/bin/sh, say", path)
	}
	interpreter := fields[0]
	switch {
	case strings.HasSuffix(text, "\r"):
		return fmt.Errorf("%s has CRLF line ends, so its interpreter would be %q; take them off: sed -i 's/\\r$//' %s", path, fields[len(fields)-1], path)
	case !ended && len(head) == firstLine:
		return fmt.Errorf("%s: its first line is longer than the %d bytes that the kernel reads", path, firstLine)
	case depth >= maxNesting:
		return fmt.Errorf("%s: its interpreter is a script whose interpreter is a script, and so on", path)
	}
	if err := interpreterOf(interpreter, depth); err != nil {
		return fmt.Errorf("%s cannot be run: its interpreter %w", path, err)
	}
	return nil
}

func interpreterOf(interpreter string, depth int) error {
	if !filepath.IsAbs(interpreter) {
		// The kernel looks for it in the child's working directory, which is a fresh one.
		return fmt.Errorf("%s is no absolute path; write #!/usr/bin/env %s", interpreter, interpreter)
	}
	return check(interpreter, depth+1)
}

// machines are what GOARCH calls the kinds of ELF programs; a kind that is
// missing here is not judged.
var machines = map[string][]elf.Machine{
	"amd64": {elf.EM_X86_64, elf.EM_386}, "386": {elf.EM_386}, "arm64": {elf.EM_AARCH64, elf.EM_ARM}, "arm": {elf.EM_ARM},
	"riscv64": {elf.EM_RISCV}, "ppc64le": {elf.EM_PPC64}, "s390x": {elf.EM_S390},
}

// elfHeader is the size of the smallest ELF header, that of 32 bits.
const elfHeader = 52

// checkELF looks for another machine's program, and for a loader that is not
// there: a program for musl on glibc, or the other way round.
func checkELF(path string, head []byte) error {
	if len(head) < elfHeader {
		return fmt.Errorf("%s is a program that was not copied whole", path)
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	machine := elf.Machine(order.Uint16(head[18:]))
	if here, known := machines[runtime.GOARCH]; known && !slices.Contains(here, machine) {
		return fmt.Errorf("%s is a program for another machine (%v; this one is %s)", path, machine, runtime.GOARCH)
	}
	f, err := elf.Open(path)
	if err != nil {
		return nil // packed programs run with headers that only the kernel understands
	}
	defer func() { _ = f.Close() }() // only read from
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz > 4096 {
			continue
		}
		name, err := io.ReadAll(p.Open())
		loader := strings.TrimRight(string(name), "\x00")
		if _, missing := os.Stat(loader); err == nil && errors.Is(missing, fs.ErrNotExist) {
			return fmt.Errorf("%s cannot be run: its loader %s does not exist on this machine (it was built for another distribution)", path, loader)
		}
	}
	return nil
}
