package runners

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// Options are one host's runner. There are no defaults here: what a file leaves
// out package config fills in, and zero means zero.
type Options struct {
	Host     string
	Services []plan.Service
	// Extra is registered beside the services and never runs: the sources
	// this host polls, so that people see them.
	Extra []store.Offer
	// StateDir holds what must outlive the process. Its path may have 83
	// bytes, as sockets lie below it.
	StateDir string
	// Self is the program that hands the arguments after
	// supervisor.Command to supervisor.Main; the path that this process was
	// started by. If it cannot be started, the running program is.
	Self string
	// TTL of the lease and Beat of its renewal; TTL ≥ 1 s + TTL/10 + 3 Beat.
	TTL, Beat   time.Duration
	OnStoreLoss plan.StoreLoss // of what is taken over and not offered any more
	// Lookup finds ${host:…}, ${env:…} and ${file:…}. What the last two
	// give never leaves this host and is masked wherever it is shown.
	Lookup stream.Lookup
	// URL of this host's web page, for people who look for its logs.
	URL     string
	Version string
	// Lacks is what the file asks for and this host does not hold; for the store.
	Lacks string
	// Labels are what the file says of this host.
	Labels stream.Labels
	// Pools is what the host's services share, PoolJobs what jobs may hold of it.
	Pools, PoolJobs stream.Amounts
	Log             zerolog.Logger
	// Cooldown is how long a slot avoids this host after it failed here.
	Cooldown time.Duration
	// SlowRetry is the least pause between two starts of a child that keeps
	// failing and has nowhere better to go.
	SlowRetry time.Duration
	// Retry is how the start of what runs nothing, and so has no policy of its
	// own, is tried again: its variables lack a value, say.
	Retry supervisor.Restart
	// Heart, if set, is a second store of the same server that renews the
	// lease, so that a crowd of other calls never stands before it.
	Heart *store.Store
	// Observe, if set, is called after each first start of a slot.
	Observe func(Started)
}

// Started is a measurement for metrics.
type Started struct {
	Type string
	// Since it was placed, by the store's clock as this host reckons it.
	Since time.Duration
}

func (o *Options) complete() error {
	if o.TTL <= 0 || o.Beat <= 0 || o.SlowRetry <= 0 || o.OnStoreLoss == "" {
		return errors.New("no ttl, beat, pace of slow retries or mode for the loss of the store")
	}
	if err := stream.CheckHost(o.Host); err != nil {
		return err
	}
	if o.Lookup == nil {
		return errors.New("no lookup of ${host:…}, ${env:…} and ${file:…}")
	}
	if !filepath.IsAbs(o.StateDir) || !filepath.IsAbs(o.Self) {
		return fmt.Errorf("state directory %q and program %q must be absolute paths", o.StateDir, o.Self)
	}
	if o.TTL < margin(o.TTL)+3*o.Beat {
		return fmt.Errorf("a lease of %v is too short for a beat of %v: at least 1 s + ttl/10 + 3 beats", o.TTL, o.Beat)
	}
	if o.Retry.Delay <= 0 || o.Retry.Within <= 0 {
		return errors.New("no policy of retries")
	}
	seen := map[string]bool{}
	for i := range o.Services {
		s := &o.Services[i]
		if err := stream.CheckType(s.Type); err != nil {
			return err
		}
		if seen[s.Type] {
			return fmt.Errorf("service %s is given twice", s.Type)
		}
		seen[s.Type] = true
		if s.OnStoreLoss == "" {
			return fmt.Errorf("service %s does not say what becomes of it when the store is lost", s.Type)
		}
		if s.Capacity == nil && len(s.Places) > 0 {
			return fmt.Errorf("service %s has places and no capacity", s.Type)
		}
	}
	return nil
}

func offer(s *plan.Service) store.Offer {
	return store.Offer{Type: s.Type, Capacity: s.Capacity, Places: len(s.Places), URL: s.URL, Class: s.Class, Handover: s.Handover, Uses: s.Uses}
}
