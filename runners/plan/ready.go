package plan

import (
	"fmt"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// Ready is how it is found out that a child's output is there, as the file describes it: one of five kinds. What each of
// them asks is in supervisor.Ready.
type Ready struct {
	HTTP     stream.Template `yaml:"http"`
	TCP      stream.Template `yaml:"tcp"`
	Command  Command         `yaml:"command" validate:"max=256"`
	File     stream.Template `yaml:"file"`
	Progress bool            `yaml:"progress"`
	// Interval is from the end of one probe to the next.
	Interval time.Duration `yaml:"interval" validate:"gte=50ms,lte=1m"`
	// Timeout is from the child's start; it stands still while the publisher is away.
	Timeout time.Duration `yaml:"timeout" validate:"gte=1s,lte=1h"`
}

// Kinds are those that are given, by their key in the file.
func (r *Ready) Kinds() []string {
	var out []string
	for _, k := range []struct {
		key   string
		given bool
	}{
		{"http", r.HTTP.String() != ""}, {"tcp", r.TCP.String() != ""}, {"command", len(r.Command) > 0},
		{"file", r.File.String() != ""}, {"progress", r.Progress},
	} {
		if k.given {
			out = append(out, k.key)
		}
	}
	return out
}

func (r *Ready) templates() []Use {
	uses := append([]Use{{"http", r.HTTP}, {"tcp", r.TCP}, {"file", r.File}}, usesOf("command", r.Command)...)
	for i := range uses {
		uses[i].Path = "plugin.ready." + uses[i].Path
	}
	return uses
}

// resolve fills in what is probed; nil if nothing is.
func (r *Ready) resolve(lookup stream.Lookup) (*supervisor.Ready, error) {
	if r == nil {
		return nil, nil
	}
	out := &supervisor.Ready{Progress: r.Progress, Interval: r.Interval, Timeout: r.Timeout}
	for _, one := range []struct {
		key  string
		t    stream.Template
		into *string
	}{{"http", r.HTTP, &out.HTTP}, {"tcp", r.TCP, &out.TCP}, {"file", r.File, &out.File}} {
		var err error
		if *one.into, err = one.t.Resolve(lookup); err != nil {
			return nil, fmt.Errorf("ready %s: %w", one.key, err)
		}
	}
	var err error
	if out.Command, err = r.Command.Resolve(lookup); err != nil {
		return nil, fmt.Errorf("ready %w", err)
	}
	return out, out.Check()
}
