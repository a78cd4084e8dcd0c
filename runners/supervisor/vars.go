package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Bounds of what a child may publish.
const (
	maxVars     = 64
	maxVarName  = 64
	maxVarValue = 4 << 10
	maxVarsFile = maxVars * (maxVarName + maxVarValue + 2)

	varsSettle  = 50 * time.Millisecond  // without a further write
	varsPatient = 500 * time.Millisecond // with further writes
)

var varName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// parseVars reads lines name=value; of two of one name the later counts. A last line without its end is not read: it may
// be half written. bad says what is wrong with lines that were left out.
func parseVars(text []byte) (vars map[string]string, bad []string) {
	vars = map[string]string{}
	wrong := func(n int, format string, a ...any) {
		if len(bad) < 10 {
			bad = append(bad, fmt.Sprintf("line %d: ", n)+fmt.Sprintf(format, a...))
		}
	}
	if len(text) > maxVarsFile {
		text = text[:maxVarsFile]
		wrong(0, "more than %d bytes, the rest is not read", maxVarsFile)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	n := 0
	for line := range bytes.Lines(whole) {
		n++
		line = bytes.TrimRight(line, "\r\n")
		name, value, ok := strings.Cut(string(line), "=")
		_, known := vars[name]
		switch {
		case len(line) == 0:
		case !ok:
			wrong(n, "not name=value")
		case len(name) > maxVarName || !varName.MatchString(name):
			wrong(n, "the name is not %s of at most %d bytes", varName, maxVarName)
		case len(value) > maxVarValue:
			wrong(n, "the value of %s has %d bytes, at most %d are taken", name, len(value), maxVarValue)
		case !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			wrong(n, "the value of %s has control characters or is no UTF-8", name)
		case !known && len(vars) == maxVars:
			wrong(n, "%s is one more than the %d variables a slot may have", name, maxVars)
		default:
			vars[name] = value
		}
	}
	return vars, bad
}

// varsFile watches what the child writes to EnvVars. A file without one valid line changes nothing: between the emptying
// and the writing of a file there is always such a moment, and what is published stays until something replaces it.
type varsFile struct {
	path    string
	changed func(map[string]string)
	warn    func(format string, a ...any)

	events *os.File // inotify
	last   map[string]string
	bad    string
}

func newVarsFile(dir string, changed func(map[string]string), warn func(string, ...any)) (*varsFile, error) {
	v := &varsFile{path: varsPath(dir), changed: changed, warn: warn}
	if err := os.MkdirAll(filepath.Dir(v.path), 0o700); err != nil {
		return nil, err
	}
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", v.path, err)
	}
	v.events = os.NewFile(uintptr(fd), "inotify")
	// The directory and not the file: a file moved into place is the safest way to write one.
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(v.path), unix.IN_CLOSE_WRITE|unix.IN_MODIFY|unix.IN_MOVED_TO); err != nil {
		return nil, errors.Join(fmt.Errorf("watch %s: %w", v.path, err), v.events.Close())
	}
	return v, nil
}

// reset gives the next child an empty file, a new one: somebody may still hold the old one open.
func (v *varsFile) reset() error {
	if err := os.Remove(v.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(v.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// run reads the file whenever it was written and has come to rest.
func (v *varsFile) run() {
	writes := make(chan struct{}, 1)
	go v.watch(writes)
	for range writes {
		settle, patient := time.NewTimer(varsSettle), time.NewTimer(varsPatient)
		for more := true; more; {
			select {
			case <-writes:
				settle.Reset(varsSettle)
			case <-settle.C:
				more = false
			case <-patient.C:
				more = false
			}
		}
		settle.Stop()
		patient.Stop()
		v.read()
	}
}

func (v *varsFile) watch(writes chan<- struct{}) {
	buf := make([]byte, 4096)
	for {
		n, err := v.events.Read(buf)
		if err != nil {
			v.warn("variables are no longer read: %v", err)
			return
		}
		if ofVars(buf[:n]) {
			select {
			case writes <- struct{}{}:
			default:
			}
		}
	}
}

// ofVars reports whether one of the inotify events in buf is about the variables' file.
func ofVars(buf []byte) bool {
	for len(buf) >= unix.SizeofInotifyEvent {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&buf[0]))
		end := unix.SizeofInotifyEvent + int(e.Len)
		name := string(bytes.TrimRight(buf[unix.SizeofInotifyEvent:end], "\x00"))
		if name == fileVars || e.Mask&unix.IN_Q_OVERFLOW != 0 {
			return true
		}
		buf = buf[end:]
	}
	return false
}

func (v *varsFile) read() {
	text, err := readRegular(v.path, maxVarsFile+1)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) { // between reset's two steps, or the child's own
			v.warn("variables: %v", err)
		}
		return
	}
	vars, bad := parseVars(text)
	if said := strings.Join(bad, "; "); said != v.bad {
		v.bad = said
		if said != "" {
			v.warn("variables: %s", said)
		}
	}
	if len(vars) > 0 && !maps.Equal(vars, v.last) {
		v.last = vars
		v.changed(vars)
	}
}

// readRegular reads at most limit bytes, and nothing that could block or lead elsewhere.
func readRegular(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}
