package config

import (
	"time"

	"stream-api/internal/confine"
	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// All defaults are in this file. What is not here is zero: off, none, no
// limit.

func (c *Config) setDefaults() {
	c.StateDir = "/var/lib/stream-api"
	c.Confine = &Confine{Level: confine.Hide}
	c.Network.Redis = mustTemplate("redis://127.0.0.1:6379/0")
	c.Lease = Lease{TTL: 10 * time.Second, Beat: 2 * time.Second, OnStoreLoss: plan.Keep}
	c.Scheduler = Scheduler{Enabled: true, Cooldown: time.Minute}
	c.Web = Web{Asynqmon: "read_only"}
	c.Log = Log{Level: "info", Format: "auto"}
}

func (s *Source) setDefaults() {
	s.NameTemplate = mustTemplate("source")
	s.MaxStreams = 50_000
	s.Vars = SourceVars{Interval: time.Second, Timeout: 3 * time.Second, GoneAfter: 60 * time.Second, Type: "icecast"}
}

// stallAfter is how long a stream may have no new bytes before it is shown as
// stalled. MediaMTX and SRS cut a silent publisher after some 10 s, so that a
// warning must come before; Icecast renews its counters every 5 s only, and a
// warning must wait for several of them.
func stallAfter(kind string) time.Duration {
	if kind == "mediamtx" || kind == "srs" {
		return 5 * time.Second
	}
	return 15 * time.Second
}

func (s *Service) setDefaults() {
	s.Handover = stream.StopFirst
	s.OnNewSession = plan.Ignore
	s.Tries = defaultTries()
}

func defaultTries() plan.Tries {
	return plan.Tries{Max: 20, Delay: 10 * time.Second, MaxDelay: 10 * time.Minute}
}

func defaultExec() *plan.Exec {
	return &plan.Exec{
		Rules: supervisor.Rules{Stop: supervisor.Stop{Signal: "TERM", Grace: 10 * time.Second}, Restart: DefaultRestart()},
		Hooks: plan.Hooks{Timeout: 10 * time.Second},
	}
}

func defaultReady() *plan.Ready {
	return &plan.Ready{Interval: 500 * time.Millisecond, Timeout: 30 * time.Second}
}

func defaultCheck() *plan.Check {
	return &plan.Check{Interval: 5 * time.Second, Timeout: 2 * time.Second, Fall: 3, Rise: 2}
}

// SlowRetry is the least pause between two starts of a child that keeps failing
// and has nowhere better to go. No key sets it.
const SlowRetry = 30 * time.Second

// DefaultRestart is the policy of a service that gives none. It is also that of
// a static one, whose start fails when its variables lack a value.
func DefaultRestart() supervisor.Restart {
	return supervisor.Restart{Delay: 500 * time.Millisecond, MaxDelay: 5 * time.Second, GiveUpAfter: 5, Within: time.Minute}
}

// mustTemplate is for the literals of this file.
func mustTemplate(s string) stream.Template {
	t, err := stream.ParseTemplate(s)
	if err != nil {
		panic(err)
	}
	return t
}
