package plan

import (
	"iter"
	"time"

	"stream-api/internal/confine"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// Exec is a program run per slot, as the file describes it.
type Exec struct {
	// Path is absolute, or a name found in the child's PATH. It is no template.
	Path string `yaml:"path" validate:"required,program"`
	// Args are one argument each.
	Args []stream.Template `yaml:"args" validate:"max=256"`
	// Env is the child's environment beside what every child gets.
	Env map[string]stream.Template `yaml:"env" validate:"max=256,dive,keys,envname,endkeys"`
	// EnvFile are files of lines NAME=value, read at each start on this
	// host; Env wins over them, later files over earlier ones. What publishers
	// say may choose among the files of a directory: see EnvPlace.
	EnvFile []stream.Template `yaml:"env_file" scopes:"stream host place slot"`
	supervisor.Rules
	// Done are the exit codes, besides 0, with which a job is done.
	Done  []int `yaml:"done" validate:"max=16,unique,dive,gte=0,lte=255"`
	Hooks Hooks `yaml:"hooks"`
	// Ready is how it is found out that its output is there; nil: it is when the
	// program runs.
	Ready *Ready `yaml:"ready"`
	// Confine is what the child, its hooks and its probes are kept from.
	Confine confine.Policy `yaml:"-"`
}

// Hooks are commands around a child's life. A new kind is a field here, a line in
// Each, and a place in the supervisor that runs it.
type Hooks struct {
	// PreStart run in order before each start; a failure is one of the
	// child.
	PreStart Commands `yaml:"pre_start" validate:"max=16"`
	// PostStop run in order after every end, a deadline's included.
	PostStop Commands `yaml:"post_stop" validate:"max=16"`
	// Timeout is for each command; then it is killed.
	Timeout time.Duration `yaml:"timeout" validate:"gte=100ms,lte=5m"`
}

// Each gives every kind of hook by its key in the file.
func (h Hooks) Each() iter.Seq2[string, Commands] {
	return func(yield func(string, Commands) bool) {
		_ = yield("pre_start", h.PreStart) && yield("post_stop", h.PostStop)
	}
}

// Commands is a list of commands.
type Commands []Command

// Command is a program and its arguments, each a template that resolves to one
// argument: a hook, or what a source of type exec runs.
type Command []stream.Template
