package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"stream-api/internal/confine"
	"stream-api/internal/regular"
)

// SpecVersion is the version of spec.json and state.json.
const SpecVersion = 1

// Variables the supervisor adds to the child's environment, besides EnvEnv.
const (
	EnvVars     = "STREAM_API_VARS"     // a file; complete lines name=value in it are published
	EnvItems    = "STREAM_API_ITEMS"    // a file; each complete line in it names what is finished
	EnvProgress = "STREAM_API_PROGRESS" // a URL for ffmpeg's -progress
	EnvExit     = "STREAM_API_EXIT"     // post_stop only: why the child ended, as in Exit.Reason
)

// Files of a slot's directory.
const (
	fileSpec     = "spec.json"
	fileState    = "state.json"
	fileLock     = "lock"   // locked for as long as the supervisor lives
	fileSocket   = "sock"   // its protocol
	fileProgress = "prog"   // where ffmpeg connects
	fileErrors   = "stderr" // of the supervisor itself: empty unless it broke
	fileLog      = "log"
	fileLogOld   = "log.1"
	dirVars      = "io" // watched, so little else may be written there
	fileVars     = "vars"
	fileItems    = "items" // kept over restarts
	dirWork      = "work"  // the child's working directory
)

// maxSocketPath is the longest path of a unix socket (sun_path without its NUL).
const maxSocketPath = 107

// Spec is one child: what to run, under which rules. It is written to Dir/spec.json and lives there until the end.
type Spec struct {
	Version int `json:"version"`

	// Dir is the slot's own directory: absolute, not there yet or empty, at most 102 bytes long.
	Dir string `json:"dir"`

	// What the child is for. The supervisor only repeats these.
	Stream   string `json:"stream"`
	Instance string `json:"instance"`
	Type     string `json:"type"`
	Host     string `json:"host"`
	Token    string `json:"token"`

	Exec

	KeepOnStoreLoss bool `json:"keep_on_store_loss"` // for the runner that adopts

	KeyHash string `json:"key_hash"` // of the key that a hello needs; Start fills it in

	GoWithin time.Duration `json:"go_within"` // without a Go for so long the supervisor ends; default 10 s
}

var stopSignals = map[string]syscall.Signal{
	"TERM": unix.SIGTERM, "INT": unix.SIGINT, "QUIT": unix.SIGQUIT,
	"HUP": unix.SIGHUP, "USR1": unix.SIGUSR1, "USR2": unix.SIGUSR2, "KILL": unix.SIGKILL,
}

// complete fills in defaults and reports everything that is wrong with the spec.
func (s *Spec) complete() error {
	var errs []error
	wrong := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if s.Version == 0 {
		s.Version = SpecVersion
	}
	if s.Version != SpecVersion {
		wrong("version %d is not known, only %d", s.Version, SpecVersion)
	}
	switch {
	case !filepath.IsAbs(s.Dir) || filepath.Clean(s.Dir) != s.Dir:
		wrong("dir %q is not a clean absolute path", s.Dir)
	case len(s.Dir)+1+len(fileSocket) > maxSocketPath:
		wrong("dir %q is %d bytes long: its sockets would exceed the %d bytes a unix socket's path may have; use a state_dir at least %d bytes shorter",
			s.Dir, len(s.Dir), maxSocketPath, len(s.Dir)+1+len(fileSocket)-maxSocketPath)
	case strings.ContainsAny(s.Dir, "\n\x00"):
		wrong("dir %q has a control character", s.Dir)
	}
	if s.KeyHash == "" {
		wrong("no hash of a key: anybody could speak to its supervisor")
	}
	if err := s.Exec.check(); err != nil {
		errs = append(errs, err)
	}
	if s.GoWithin <= 0 {
		s.GoWithin = 10 * time.Second
	}
	if text, err := json.Marshal(s); err != nil || len(text) > maxSpec {
		wrong("%d bytes long, at most %d are taken (%v)", len(text), maxSpec, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("spec of %s/%s: %w", s.Stream, s.Instance, err)
	}
	return nil
}

// environ is the child's whole environment.
func (s *Spec) environ(more ...string) []string {
	own := append([]string{
		EnvVars + "=" + varsPath(s.Dir),
		EnvItems + "=" + ItemsPath(s.Dir),
		EnvProgress + "=" + "unix:" + filepath.Join(s.Dir, fileProgress),
		EnvEnv + "=" + environPath(s.Dir),
	}, more...)
	env := make([]string, 0, len(s.Env)+len(own))
	if s.Confine.Confines() {
		own = append(own, confine.Env+"="+string(s.Confine.Level))
	}
	for _, kv := range s.Env {
		if name, _, _ := strings.Cut(kv, "="); name != EnvVars && name != EnvItems && name != EnvProgress && name != EnvEnv && name != confine.Env {
			env = append(env, kv)
		}
	}
	return append(env, own...)
}

// ItemsPath is where the child of a slot's directory writes what is finished.
func ItemsPath(dir string) string { return filepath.Join(dir, dirVars, fileItems) }

// maxItemsFile bounds what is read of that.
const maxItemsFile = 16 << 20

// ReadItems reads what the child of a slot's directory wrote there; fs.ErrNotExist: nothing.
func ReadItems(dir string) ([]byte, error) { return regular.Head(ItemsPath(dir), maxItemsFile) }

func varsPath(dir string) string { return filepath.Join(dir, dirVars, fileVars) }

// without returns the spec as it is left behind after the end: nothing that may hold a secret.
func (s Spec) without() Spec {
	s.Exec = Exec{Path: s.Path, Rules: s.Rules}
	return s
}

// ReadSpec reads the spec in dir.
func ReadSpec(dir string) (Spec, error) {
	var s Spec
	if err := readJSON(filepath.Join(dir, fileSpec), &s); err != nil {
		return Spec{}, err
	}
	if s.Version != SpecVersion {
		return Spec{}, fmt.Errorf("%s: version %d is not known, only %d", filepath.Join(dir, fileSpec), s.Version, SpecVersion)
	}
	return s, nil
}

// filePatience is how long a file system may take to answer for one file.
const filePatience = 2 * time.Second

func readJSON(path string, into any) error {
	text, err := regular.Within(filePatience, path, func() ([]byte, error) { return regular.Read(path, maxMessage) }, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeJSON replaces path in one step. It does not sync: what it writes is about processes, and these do not survive the
// crash that would lose it.
func writeJSON(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return regular.Replace(path, append(text, '\n'), 0o600)
}

// lookPath finds a program as a shell with this environment would; an absolute path is taken as it is.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			return "", fmt.Errorf("%s: neither absolute nor a plain name", name)
		}
		return name, nil
	}
	path := "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		full := filepath.Join(dir, name)
		if info, err := os.Stat(full); filepath.IsAbs(full) && err == nil && info.Mode().IsRegular() && unix.Access(full, unix.X_OK) == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("%s: not found in PATH %s", name, path)
}
