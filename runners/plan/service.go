package plan

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// StoreLoss says what becomes of children while the store cannot be reached.
type StoreLoss string

// The modes. See the comment of package runners for what each costs.
const (
	Keep StoreLoss = "keep" // they go on
	Stop StoreLoss = "stop" // they end before anybody else could be given their slots
)

// Service is what this host offers for one type. The tags are those of the file,
// whose decoder fills in what it leaves out: there are no defaults here.
type Service struct {
	Type string `yaml:"-"`
	// Capacity is how many slots fit; nil: no limit.
	Capacity *int `yaml:"capacity" validate:"omitempty,gte=0,lte=1000000"`
	// Uses is what one slot takes of the host's pools.
	Uses stream.Amounts `yaml:"uses" validate:"max=32,dive,keys,pool,endkeys"`
	// URL is where the service is, for the store and people; may be empty.
	URL string `yaml:"-"`
	// Class is everything but load that decides which streams come here.
	Class stream.Class `yaml:"-"`
	// Places are what each slot gets one of, with their variables, ${place:<name>}; ${place:index}
	// counts them from 0 and is there without any.
	Places []map[string]string `yaml:"places" validate:"max=10000,dive,dive,keys,placevar,endkeys,plain"`
	// Handover is stop_first or start_first.
	Handover stream.Handover `yaml:"handover" validate:"oneof=stop_first start_first"`
	// OnStoreLoss is keep or stop; as lease.on_store_loss if not given.
	OnStoreLoss StoreLoss `yaml:"on_store_loss" validate:"omitempty,oneof=keep stop"`
	// OnChange is what a changed environment does to a running child.
	OnChange OnChange `yaml:"on_change"`
	// OnSourceChange (restart or ignore): the stream's source is another; as OnChange if not given.
	OnSourceChange Reaction `yaml:"on_source_change" validate:"omitempty,oneof=restart ignore"`
	// OnNewSession (restart or ignore): the publisher began anew.
	OnNewSession Reaction `yaml:"on_new_session" validate:"oneof=restart ignore"`
	// StreamVars are published while the slot runs; they are stored in the
	// store, so no ${env:} or ${file:} may be in them.
	StreamVars map[string]stream.Template `yaml:"stream_vars" scopes:"stream source host place slot *" validate:"max=64,dive,keys,var,endkeys"`
	// Tries are how often its jobs are tried before they have failed.
	Tries Tries `yaml:"tries"`
	// Check is how it is found out whether what it depends on is well; nil: nobody asks.
	Check *Check `yaml:"check"`
	// Exec is what runs per slot; nil: static, nothing does.
	Exec *Exec `yaml:"-"`
}

// Tries are how a job that does not come to be done is tried again.
type Tries struct {
	// Max is how often its child is started before the job has failed for good.
	Max int `yaml:"max" validate:"gte=1,lte=1000"`
	// Delay is before the second try; it doubles each time, up to MaxDelay.
	Delay    time.Duration `yaml:"delay" validate:"gte=1s,lte=1h"`
	MaxDelay time.Duration `yaml:"max_delay" validate:"gte=1s,lte=24h"`
}

// Pause is how long the next try waits after so many.
func (t Tries) Pause(tried int) time.Duration {
	pause := t.Delay
	for i := 1; i < tried && pause < t.MaxDelay; i++ {
		pause *= 2
	}
	return min(pause, t.MaxDelay)
}

// restart is how a supervisor tries again: when it is to be given up is its runner's to say.
func (t Tries) restart() supervisor.Restart {
	return supervisor.Restart{Delay: t.Delay, MaxDelay: t.MaxDelay, Within: 24 * time.Hour}
}

// PlaceVars are the variables of a place; nil for one that is not listed.
func (s *Service) PlaceVars(place int) map[string]string {
	if place >= len(s.Places) {
		return nil
	}
	return s.Places[place]
}

// Use is one template of a service and the path of its key below the service's.
type Use struct {
	Path     string
	Template stream.Template
}

// usesOf are the elements of a list.
func usesOf(path string, templates []stream.Template) []Use {
	var uses []Use
	for i, t := range templates {
		uses = append(uses, Use{fmt.Sprintf("%s[%d]", path, i), t})
	}
	return uses
}

// Templates are all of the service, in the order of their paths.
func (s *Service) Templates() []Use {
	var uses []Use
	for _, name := range slices.Sorted(maps.Keys(s.StreamVars)) {
		uses = append(uses, Use{"stream_vars." + name, s.StreamVars[name]})
	}
	e := s.Exec
	if e == nil {
		return uses
	}
	list := func(path string, templates []stream.Template) {
		uses = append(uses, usesOf("plugin."+path, templates)...)
	}
	list("args", e.Args)
	for _, name := range slices.Sorted(maps.Keys(e.Env)) {
		uses = append(uses, Use{"plugin.env." + name, e.Env[name]})
	}
	list("env_file", e.EnvFile)
	for kind, commands := range e.Hooks.Each() {
		for i, command := range commands {
			list(fmt.Sprintf("hooks.%s[%d]", kind, i), command)
		}
	}
	if e.Ready != nil {
		uses = append(uses, e.Ready.templates()...)
	}
	return uses
}

// Child fills in everything that a child of the service is started with. A job is tried
// again as Tries say, and ends with a code of done.
func (s *Service) Child(at Subject, v Values, here stream.Lookup) (supervisor.Exec, error) {
	e, err := s.Exec.Resolve(at, v, here)
	if err != nil {
		return e, err
	}
	if at.OfJob() {
		e.Done, e.Restart = slices.Compact(slices.Sorted(slices.Values(append([]int{0}, s.Exec.Done...)))), s.Tries.restart()
	}
	return e, nil
}

// errSecretVar: what is published is stored in the store, where no secret
// belongs.
var errSecretVar = errors.New("a published variable may not be made of ${env:…} or ${file:…}")

// Published fills in the variables that the service itself publishes. The error
// names the value that is missing.
func (s *Service) Published(at Subject, v Values, here stream.Lookup) (map[string]string, error) {
	lookup := at.Lookup(v, here)
	out := make(map[string]string, len(s.StreamVars))
	for _, name := range slices.Sorted(maps.Keys(s.StreamVars)) {
		value, err := s.StreamVars[name].Resolve(func(ref stream.Ref) (string, bool, error) {
			if ref.Secret() {
				return "", false, errSecretVar
			}
			return lookup(ref)
		})
		if err != nil {
			return nil, fmt.Errorf("stream_vars %s: %w", name, err)
		}
		out[name] = value
	}
	return out, nil
}
