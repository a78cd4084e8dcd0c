package supervisor

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
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

// dnotifyWrites is DN_MODIFY, DN_CREATE, DN_RENAME (within the directory) and DN_MULTISHOT of linux/fcntl.h: whenever a
// file is written, made, or moved into place.
var dnotifyWrites uint32 = 0x2 | 0x4 | 0x10 | 0x80000000

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
//
// The watch is dnotify's, the old fcntl on a directory that sends SIGIO, and not inotify's: of inotify instances a user
// has 128 by default, which 128 children would use up, for themselves and for everything else that runs as that user.
type varsFile struct {
	path    string
	changed func(map[string]string)
	warn    func(format string, a ...any)

	dir    *os.File // watched as long as it is open
	writes chan os.Signal
	poll   time.Duration // instead of a watch, where the kernel has none; else 0
	last   map[string]string
	bad    string
}

func newVarsFile(dir string, changed func(map[string]string), warn func(string, ...any)) (*varsFile, error) {
	v := &varsFile{path: varsPath(dir), changed: changed, warn: warn, writes: make(chan os.Signal, 1)}
	err := os.MkdirAll(filepath.Dir(v.path), 0o700)
	if err != nil {
		return nil, err
	}
	if v.dir, err = os.Open(filepath.Dir(v.path)); err != nil {
		return nil, err
	}
	signal.Notify(v.writes, unix.SIGIO)
	// The directory and not the file: a file moved into place is the safest way to write one.
	if _, err := unix.FcntlInt(v.dir.Fd(), unix.F_NOTIFY, int(dnotifyWrites)); err != nil {
		v.poll = time.Second // a kernel without CONFIG_DNOTIFY, or fs.dir-notify-enable is 0
	}
	return v, nil
}

// close ends the watch.
func (v *varsFile) close() {
	signal.Stop(v.writes)
	_ = v.dir.Close() // read only
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

// run reads the file whenever it was written and has come to rest, until quit is closed.
func (v *varsFile) run(quit <-chan struct{}) {
	var tick <-chan time.Time
	if v.poll > 0 {
		t := time.NewTicker(v.poll)
		defer t.Stop()
		tick = t.C
	}
	for {
		select {
		case <-v.writes:
			v.settle()
		case <-tick:
		case <-quit:
			return
		}
		v.read()
	}
}

// settle waits until nothing was written for a moment, or for long enough.
func (v *varsFile) settle() {
	rest, patient := time.NewTimer(varsSettle), time.NewTimer(varsPatient)
	defer rest.Stop()
	defer patient.Stop()
	for {
		select {
		case <-v.writes:
			rest.Reset(varsSettle)
		case <-rest.C:
			return
		case <-patient.C:
			return
		}
	}
}

func (v *varsFile) read() {
	text, err := regular.Head(v.path, maxVarsFile+1)
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
