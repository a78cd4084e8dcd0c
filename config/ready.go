package config

import (
	"strings"

	"stream-api/internal/probe"
	"stream-api/runners/plan"
	"stream-api/stream"
)

// finishReady: one kind of probe, and one that can be asked.
func (d *decoder) finishReady(s *Service, path string) {
	if s.Exec == nil || s.Exec.Ready == nil {
		return
	}
	r := s.Exec.Ready
	d.oneKind(path, r.Kinds(), "http, tcp, command, file, progress")
	d.askable(join(path, "http"), r.HTTP, probe.CheckURL)
	d.askable(join(path, "tcp"), r.TCP, probe.CheckAddress)
}

// finishCheck: one kind of probe, and one that can be asked, each before the next.
func (d *decoder) finishCheck(s *Service, path string) {
	c := s.Check
	if c == nil {
		return
	}
	d.oneKind(path, c.Kinds(), "http, tcp, command")
	d.askable(join(path, "http"), c.HTTP, probe.CheckURL)
	d.askable(join(path, "tcp"), c.TCP, probe.CheckAddress)
	if c.Timeout > c.Interval {
		d.problem(d.valueAt(join(path, "timeout")), path, "timeout %s is more than interval %s: one probe ends before the next begins", short(c.Timeout), short(c.Interval))
	}
}

// oneKind checks that a probe says what it asks, and only once.
func (d *decoder) oneKind(path string, given []string, kinds string) {
	switch len(given) {
	case 0:
		d.problem(d.at(path), path, "one of %s is missing: what is asked", kinds)
	case 1:
	default:
		d.problem(d.at(path), path, "%s are given: one probe asks one thing; for several write a command", strings.Join(given, " and "))
	}
}

// askable checks a place that is probed, as far as the file alone says where it is.
func (d *decoder) askable(path string, t stream.Template, check func(string) error) {
	if t.String() == "" || len(t.Refs()) > 0 {
		return
	}
	text, err := t.Resolve(nil)
	if err != nil {
		return // cannot be: it has no references
	}
	if err := check(text); err != nil {
		d.problem(d.valueAt(path), path, "%v", err)
	}
}

// checkText is what a check asks, for people.
func checkText(c *plan.Check) string {
	switch {
	case c.HTTP.String() != "":
		return maskURL(c.HTTP.String())
	case c.TCP.String() != "":
		return "tcp " + c.TCP.String()
	}
	return "command " + words(c.Command)
}

// readyText is what is probed, for people.
func readyText(r *plan.Ready) string {
	switch {
	case r.HTTP.String() != "":
		return maskURL(r.HTTP.String())
	case r.TCP.String() != "":
		return "tcp " + r.TCP.String()
	case r.File.String() != "":
		return "file " + oneLine(r.File.String())
	case r.Progress:
		return "ffmpeg's progress"
	}
	return "command " + words(r.Command)
}
