package config

import (
	"regexp"
	"time"

	"stream-api/runners/plan"
	"stream-api/stream"
)

// Config is everything the files say, with defaults filled in. The tag yaml
// names the key; validate is checked on each value as it is read; scopes
// lists the template references allowed there (none given: all).
type Config struct {
	Network  Network `yaml:"network"`
	Lease    Lease   `yaml:"lease"`
	StateDir string  `yaml:"state_dir" validate:"statedir"`
	// Confine is how far children are kept from the host; services and sources
	// may say otherwise.
	Confine *Confine `yaml:"confine"`
	// Chain is used by sources that give none.
	Chain     Chain     `yaml:"chain"`
	Sources   []Source  `yaml:"sources"`
	Services  Services  `yaml:"services"`
	Scheduler Scheduler `yaml:"scheduler"`
	Web       Web       `yaml:"web"`
	Log       Log       `yaml:"log"`

	// Warnings are what is legal but will disappoint on this machine.
	Warnings []Problem `yaml:"-"`
	// Files are the names the configuration was read from.
	Files []string `yaml:"-"`
	// Paths are those that were given: files, or directories of such.
	Paths []string `yaml:"-"`
}

// Network says who this host is and where the store is.
type Network struct {
	// Name is the host part of keys: a lower-case DNS name or IP address.
	Name string `yaml:"name" validate:"omitempty,host"`
	// Redis is the store's URL; see ParseRedis for its forms.
	Redis stream.Template `yaml:"redis" scopes:"env file" validate:"redis"`
	// Namespace is the prefix of every key; may be empty.
	Namespace string `yaml:"namespace" validate:"omitempty,namespace"`
	// Vars are ${host:<name>}.
	Vars map[string]string `yaml:"vars" validate:"dive,keys,hostvar,endkeys,plain"`
	// Labels say where the host stands and what it has, to placement and as
	// ${host:<name>}.
	Labels map[string]string `yaml:"labels" validate:"max=32,dive,keys,label,endkeys,labelvalue"`
	// Pools are what the services of this host share.
	Pools map[string]Pool `yaml:"pools" validate:"max=32,dive,keys,pool,endkeys"`
}

// Lease is the host's proof of life.
type Lease struct {
	// TTL is the time without a heartbeat after which the host's slots are
	// given to others.
	TTL time.Duration `yaml:"ttl" validate:"gte=1s,lte=10m"`
	// Beat is the time between heartbeats.
	Beat time.Duration `yaml:"beat" validate:"gte=50ms,lte=1m"`
	// OnStoreLoss (keep or stop) is the default of the services.
	OnStoreLoss plan.StoreLoss `yaml:"on_store_loss" validate:"oneof=keep stop"`
}

// Scheduler says whether this host takes part in deciding.
type Scheduler struct {
	Enabled bool `yaml:"enabled"`
	// Cooldown is how long a host that gave a slot up is avoided for it.
	Cooldown time.Duration `yaml:"cooldown" validate:"gte=1s,lte=24h"`
}

// Web is the status page, API, metrics and asynqmon.
type Web struct {
	// Listen is host:port; empty: off.
	Listen string `yaml:"listen" validate:"omitempty,listen"`
	// Token and TokenFile (one of them) are required beyond loopback.
	// Token must be a reference: a literal would be readable in the file.
	Token     stream.Template `yaml:"token" scopes:"env file" validate:"omitempty,onlyrefs"`
	TokenFile string          `yaml:"token_file" validate:"omitempty,abspath"`
	// TLS is nil without.
	TLS *WebTLS `yaml:"tls"`
	// Hosts are the names, besides loopback and the address listened on,
	// by which browsers may ask.
	Hosts []string `yaml:"hosts" validate:"max=64,unique,dive,webhost"`
	// Asynqmon is read_only or read_write.
	Asynqmon string `yaml:"asynqmon" validate:"oneof=read_only read_write"`
}

// WebTLS names the files, in PEM, of the certificate with its chain, and of its
// key. They are read anew when they change.
type WebTLS struct {
	Cert string `yaml:"cert" validate:"required,abspath"`
	Key  string `yaml:"key" validate:"required,abspath"`
}

// Log says what is logged and how.
type Log struct {
	Level string `yaml:"level" validate:"oneof=trace debug info warn error"`
	// Format is auto (console on a terminal, else json), json or console.
	Format string `yaml:"format" validate:"oneof=auto json console"`
}

// Rule gives the streams it matches a chain, a priority and variables of
// their own. The first rule that matches wins; named groups of Match become
// variables of the stream.
type Rule struct {
	Match *regexp.Regexp `yaml:"match" validate:"required,groups"`
	// Chain is none if the source's holds. A mere name in it means the item of that
	// name in the source's chain, where there is one.
	Chain Chain `yaml:"chain"`
	// Priority is nil if the source's holds.
	Priority *int              `yaml:"priority" validate:"omitempty,gte=0,lte=899"`
	Vars     map[string]string `yaml:"vars" validate:"max=64,dive,keys,streamvar,endkeys,plain"`
}
