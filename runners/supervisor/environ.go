package supervisor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"stream-api/internal/regular"
)

// EnvEnv names a file that holds the child's environment as a start would give it now, in lines NAME='value': a shell sources it,
// and a program splits it as a shell does words. It has a directory of its own, as it is replaced by another file of its name.
const (
	EnvEnv  = "STREAM_API_ENV"
	dirEnv  = "env"
	fileEnv = "now"
)

func environPath(dir string) string { return filepath.Join(dir, dirEnv, fileEnv) }

// keptByShells are variables that a shell keeps itself: some of them end a shell that sets them.
var keptByShells = []string{"_", "BASHOPTS", "BASH_VERSINFO", "EUID", "OLDPWD", "PPID", "PWD", "SHELLOPTS", "SHLVL", "UID"}

// sourced is an environment as a shell sources it. What is in a value says nothing there: all of it stands in single quotes.
// Left out are variables that a shell cannot name or keeps itself.
func sourced(env []string) []byte {
	var out []byte
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if !shellName(name) || slices.Contains(keptByShells, name) {
			continue
		}
		out = append(out, name...)
		out = append(out, "='"...)
		out = append(out, strings.ReplaceAll(value, "'", `'\''`)...)
		out = append(out, "'\n"...)
	}
	return out
}

func shellName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// WriteEnviron makes the file behind EnvEnv below dir, for whoever runs a child without a supervisor, and gives its path. env need not have it.
func WriteEnviron(dir string, env []string) (string, error) {
	f := environFile{path: environPath(dir)}
	return f.path, f.begin(append(slices.Clone(env), EnvEnv+"="+f.path))
}

// environFile keeps the file for as long as an attempt lasts.
type environFile struct {
	path string

	mu sync.Mutex
	on bool // an attempt is under way
}

// begin writes the file for a start.
func (f *environFile) begin(env []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = true
	return f.write(env)
}

// renew replaces the file in one step, unless nothing runs that could read it. env is asked for once nobody else writes.
func (f *environFile) renew(env func() []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.on {
		return nil
	}
	return f.write(env())
}

func (f *environFile) write(env []string) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil { // the child may have removed it
		return err
	}
	return regular.Replace(f.path, sourced(env), 0o600)
}

// end removes it.
func (f *environFile) end() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = false
	return removeEnviron(f.path)
}

func removeEnviron(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
