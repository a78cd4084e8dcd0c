package cli

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

type key string

const (
	keyTB    key = "tb"
	keyRedis key = "redis"
	keyHosts key = "hosts" // by name
)

// commands are what scripts have beside testscript's own:
//
//	code N PROGRAM ARG…        runs it; its exit code must be N
//	until REGEXP PROGRAM ARG…  runs it again and again until its stdout matches,
//	                           whatever its exit code
//	grows FILE REGEXP          waits until the file matches
//	host NAME FILE             runs a host with this file, in which @NAME@
//	                           stands for the environment's NAME; its state
//	                           directory is $STATE_<NAME>
//	leave NAME                 stops that host as an operator would (TERM)
//	detach NAME                stops it and leaves its children (USR1)
//	powercut NAME              ends it and its children without a word
//	rewrite NAME FILE          gives it another file and has it taken up (HUP)
//	keys FILE PATH NAMES       the JSON object at PATH (such as .streams.0) has
//	                           these keys, each ? one optional
//	value FILE PATH VALUE      the JSON value at PATH is VALUE
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"code": code, "until": until, "grows": grows, "host": host, "leave": leave, "detach": detach, "powercut": powercut, "rewrite": rewrite, "keys": keys, "value": value,
}

// patience is generous: scripts run in parallel on small machines, and what is
// ready is seen at once.
const patience = 60 * time.Second

func need(ts *testscript.TestScript, neg bool, args []string, n int, usage string) {
	if neg || len(args) < n {
		ts.Fatalf("usage: %s", usage)
	}
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "code N PROGRAM ARG…")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// again calls ok until it is true, and fails with what otherwise.
func again(ts *testscript.TestScript, what string, ok func() bool) {
	limit := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			ts.Fatalf("after %v: %s", patience, what)
		}
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "until REGEXP PROGRAM ARG…")
	wanted, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	again(ts, "no output matched "+args[0], func() bool {
		var exit *exec.ExitError
		if err := ts.Exec(args[1], args[2:]...); err != nil && !errors.As(err, &exit) {
			ts.Check(err)
		}
		return wanted.MatchString(ts.ReadFile("stdout"))
	})
}

func grows(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "grows FILE REGEXP")
	wanted, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	again(ts, args[0]+" never matched "+args[1], func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && wanted.Match(text)
	})
}

func host(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "host NAME FILE")
	tb, redis := ts.Value(keyTB).(testing.TB), ts.Value(keyRedis).(*realtest.RedisServer)
	h := realrun.Start(tb, args[0], redis.URL(), filled(ts, args[1]))
	name := "STATE_" + strings.ToUpper(strings.ReplaceAll(args[0], ".", "_"))
	ts.Setenv(name, h.StateDir)
	ts.Value(keyHosts).(map[string]*realrun.Host)[args[0]] = h
}

// filled is a file with the environment's values for @NAME@.
func filled(ts *testscript.TestScript, file string) string {
	return regexp.MustCompile(`@[A-Z0-9]+@`).ReplaceAllStringFunc(ts.ReadFile(file), func(name string) string {
		return ts.Getenv(strings.Trim(name, "@"))
	})
}

func started(ts *testscript.TestScript, name string) *realrun.Host {
	h := ts.Value(keyHosts).(map[string]*realrun.Host)[name]
	if h == nil {
		ts.Fatalf("there is no host %s", name)
	}
	return h
}

func leave(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "leave NAME")
	ends(ts, args[0], syscall.SIGTERM)
}

func detach(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "detach NAME")
	ends(ts, args[0], syscall.SIGUSR1)
}

func powercut(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "powercut NAME")
	started(ts, args[0]).KillMachine()
}

func ends(ts *testscript.TestScript, name string, sig syscall.Signal) {
	h := started(ts, name)
	h.Signal(sig)
	if got := h.Wait(patience); got != 0 {
		ts.Fatalf("host %s ended with exit code %d after %v", name, got, sig)
	}
}

func rewrite(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "rewrite NAME FILE")
	h := started(ts, args[0])
	h.Rewrite(filled(ts, args[1]))
	h.Signal(syscall.SIGHUP)
}

// at finds the JSON value at a path.
func at(ts *testscript.TestScript, file, path string) any {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &v))
	if path == "." {
		return v
	}
	for step := range strings.SplitSeq(strings.Trim(path, "."), ".") {
		switch w := v.(type) {
		case map[string]any:
			found, ok := w[step]
			if !ok {
				ts.Fatalf("%s: there is no %s in %v", path, step, w)
			}
			v = found
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(w) {
				ts.Fatalf("%s: there is no %s in a list of %d", path, step, len(w))
			}
			v = w[n]
		default:
			ts.Fatalf("%s: %v has no %s", path, v, step)
		}
	}
	return v
}

func keys(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "keys FILE PATH NAMES")
	object, ok := at(ts, args[0], args[1]).(map[string]any)
	if !ok {
		ts.Fatalf("%s is no object", args[1])
	}
	wanted := strings.Split(args[2], ",")
	for _, name := range wanted {
		plain, optional := strings.CutSuffix(name, "?")
		if _, ok := object[plain]; !ok && !optional {
			ts.Fatalf("%s has no %s: %v", args[1], plain, object)
		}
	}
	for name := range object {
		if !slices.Contains(wanted, name) && !slices.Contains(wanted, name+"?") {
			ts.Fatalf("%s has %s, which is not documented", args[1], name)
		}
	}
}

func value(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 3, "value FILE PATH VALUE")
	text, err := json.Marshal(at(ts, args[0], args[1]))
	ts.Check(err)
	if got := strings.Trim(string(text), `"`); got != args[2] {
		ts.Fatalf("%s is %s, want %s", args[1], got, args[2])
	}
}
