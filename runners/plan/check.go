package plan

import (
	"time"

	"stream-api/internal/confine"
	"stream-api/stream"
)

// Check is how the host finds out over and over whether what a service depends on is
// well, as the file describes it: one of three kinds.
type Check struct {
	HTTP    stream.Template `yaml:"http" scopes:"host env file"`
	TCP     stream.Template `yaml:"tcp" scopes:"host env file"`
	Command Command         `yaml:"command" scopes:"host env file" validate:"max=256"`
	// Interval is from one probe to the next, Timeout what one may take.
	Interval time.Duration `yaml:"interval" validate:"gte=1s,lte=10m"`
	Timeout  time.Duration `yaml:"timeout" validate:"gte=100ms,lte=1m"`
	// Fall probes in a row that fail make it unwell, Rise that succeed well.
	Fall int `yaml:"fall" validate:"gte=1,lte=100"`
	Rise int `yaml:"rise" validate:"gte=1,lte=100"`
	// Confine is what a command is kept from.
	Confine confine.Policy `yaml:"-"`
}

// Kinds are those that are given, by their key in the file.
func (c *Check) Kinds() []string {
	var out []string
	if c.HTTP.String() != "" {
		out = append(out, "http")
	}
	if c.TCP.String() != "" {
		out = append(out, "tcp")
	}
	if len(c.Command) > 0 {
		out = append(out, "command")
	}
	return out
}

// Templates are all of the check, by the path of their key below its own.
func (c *Check) Templates() []Use {
	return append([]Use{{"http", c.HTTP}, {"tcp", c.TCP}}, usesOf("command", c.Command)...)
}
