package supervisor

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"stream-api/internal/confine"
)

// Exec is what runs as the child, with every value filled in. It is part of a Spec, and a restart may bring another one;
// what identifies the child (stream, slot, token, directory) is not in it and never changes.
type Exec struct {
	Path string   `json:"path"` // absolute, or looked for in the PATH of Env
	Args []string `json:"args"` // without the program's own name
	Env  []string `json:"env"`  // NAME=value: the whole environment but for EnvVars, EnvItems and EnvProgress

	PreStart []Hook `json:"pre_start"` // before each start; one that fails is a failed start
	PostStop []Hook `json:"post_stop"` // after each end, and after a failed start; must bear being run twice

	Mask []string `json:"mask"` // secrets, shown as *** in the log and in stderr lines

	Ready *Ready `json:"ready,omitempty"` // how it is found out that its output is there; nil: it is when it runs

	Confine confine.Policy `json:"confine,omitzero"` // what the child, its hooks and its probes are kept from

	// Done are the codes with which a child that ends by itself is done: nothing is started after it.
	Done []int `json:"done,omitempty"`

	Rules
}

// Rules are what a child runs under: what a file says of it that needs no filling in. They come from there to here as one
// value, so the tags are those of the file as well; a new one needs a field here and the place in this package that obeys it.
type Rules struct {
	Stop    Stop    `json:"stop" yaml:"stop"`
	Restart Restart `json:"restart" yaml:"restart"`
	// Stall is the time without a sign of life after which the child is restarted; 0: never.
	Stall time.Duration `json:"stall" yaml:"stall" validate:"omitempty,gte=1s,lte=24h"`
	// Limits are what the child's processes may take; they hold from its start on.
	Limits Limits `json:"limits,omitzero" yaml:"limits"`
}

// Stop says how a child is asked to end.
type Stop struct {
	// Signal is a name such as TERM.
	Signal string `json:"signal" yaml:"signal" validate:"oneof=TERM INT QUIT HUP USR1 USR2 KILL"`
	// Grace is the time until KILL; 0: at once.
	Grace time.Duration `json:"grace" yaml:"grace" validate:"gte=0s,lte=10m"`
}

// Hook is a command run beside the child's life, with its environment.
type Hook struct {
	Argv    []string      `json:"argv"`
	Timeout time.Duration `json:"timeout"` // then it is killed and counts as failed
}

// Same tells whether a child started with e needs no restart for other. What is masked is no difference of its own, and
// neither are the codes of done and the rules but for the limits: the supervisor has them from the runner, with nothing done to the child.
func (e Exec) Same(other Exec) bool {
	if !e.Confine.Same(other.Confine) {
		return false
	}
	limits := e.Limits
	e.Mask, e.Rules, e.Confine, e.Done = other.Mask, other.Rules, other.Confine, other.Done
	e.Limits = limits
	return reflect.DeepEqual(e, other)
}

// check reports everything that is wrong with it.
func (e *Exec) check() error {
	var errs []error
	wrong := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if e.Path == "" {
		wrong("path is empty")
	}
	for _, text := range append(append([]string{e.Path}, e.Args...), e.Env...) {
		if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			wrong("path, args or env have a NUL or are no UTF-8")
			break
		}
	}
	for _, kv := range e.Env {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" {
			wrong("env: an entry is not NAME=value")
		}
	}
	for _, h := range [][]Hook{e.PreStart, e.PostStop} {
		for i := range h {
			if len(h[i].Argv) == 0 || h[i].Argv[0] == "" {
				wrong("hook %d has no command", i+1)
			}
			if h[i].Timeout <= 0 {
				wrong("hook %d has no timeout", i+1)
			}
		}
	}
	return errors.Join(append(errs, e.Ready.Check(), e.Confine.Check(), e.Rules.check())...)
}

func (r *Rules) check() error {
	var errs []error
	wrong := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if _, ok := stopSignals[r.Stop.Signal]; !ok {
		wrong("stop: signal %q is not one of TERM INT QUIT HUP USR1 USR2 KILL", r.Stop.Signal)
	}
	if r.Restart.Delay <= 0 || r.Restart.MaxDelay < r.Restart.Delay || r.Restart.Within <= 0 {
		wrong("restart: a delay, a max_delay of no less and a window are needed, not %+v", r.Restart)
	}
	if r.Stall < 0 || r.Restart.GiveUpAfter < 0 || r.Stop.Grace < 0 {
		wrong("a negative stall, grace or give_up_after")
	}
	return errors.Join(append(errs, r.Limits.check())...)
}
