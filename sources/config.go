package sources

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stream-api/internal/confine"
	"stream-api/stream"
)

// Plugins are the kinds of sources: an ingest that is polled, a fixed list, a
// command that prints what is live.
const (
	PluginPoll   = "poll"
	PluginStatic = "static"
	PluginExec   = "exec"
)

// Types are the ingest servers PluginPoll speaks to.
var Types = []string{"icecast", "srtrelay", "nginx-rtmp", "mediamtx", "srs"}

// defaultStreams is far above any network we know, and below what an ingest
// gone mad, or a publisher who counts up, would fill Redis with.
const defaultStreams = 50_000

// Config is one source. Zero values of the durations and limits mean their
// defaults.
type Config struct {
	Name   string
	Plugin string // PluginPoll if empty

	// Of PluginPoll. URL is the server, for nginx-rtmp its statistics page.
	Type           string // one of Types; icecast if empty
	URL            string
	User, Password string
	CA             string // a file of certificates to be believed instead of the machine's; read at each connection
	// Pull is the base of ${stream:url}, where processing pulls streams from,
	// or with stream.PullPlace in it the whole of it; empty: SourceVars["url"] if given,
	// else by type: for icecast URL itself, for the others their usual port on
	// its host.
	Pull string
	// Strip is a prefix taken off the listed names, such as "live/" of RTMP
	// servers, so that one stream has one key at every ingest.
	Strip string

	Mounts  []stream.Mount // of PluginStatic
	Command []string       // of PluginExec: the program and its arguments
	Confine confine.Policy // of PluginExec: what the program is kept from
	Env     []string       // of PluginExec: NAME=value, added to PATH HOME LANG TZ

	Interval   time.Duration // between polls
	Timeout    time.Duration // of a whole poll
	GoneAfter  time.Duration // until a stream that nobody lists is gone; 0: at once
	StallAfter time.Duration // without new bytes until a warning
	MaxBody    int64         // bytes of an answer, unpacked; 16 MiB

	Match    *regexp.Regexp // keys that are ours; nil: all
	Chain    []string
	Items    stream.Items // of Chain
	Priority int
	Rank     string // a number, as it is written; empty: 0
	rank     int    // what it comes to
	// MaxStreams is how many the source may announce: known ones stay, new ones
	// beyond it are refused; 50,000.
	MaxStreams int
	Rules      []Rule // the first that matches a key wins over Chain and Priority
	Expect     []string

	// SourceVars is what dependants see as ${source:…}; url defaults to URL
	// without its credentials.
	SourceVars map[string]string
	// Labels say where the ingest stands; one that comes to nothing is none.
	Labels stream.Labels
	// Resolve fills ${host:…} into Pull, SourceVars, Labels and Rank, which are as they are written; nil: nothing is to be filled in.
	Resolve func(text string) (string, error)
	// RulesVersion is what the rules claim to be; 0: nothing.
	RulesVersion int64
}

// Rule gives the streams whose key it matches a chain, a priority and
// variables of their own. Named groups of Match become variables too, unless
// they matched nothing; Vars win over them, and both over what is listed.
type Rule struct {
	Match    *regexp.Regexp
	Chain    []string     // nil: the source's
	Items    stream.Items // of Chain; of a slot without one the source's holds
	Priority *int         // nil: the source's
	Vars     map[string]string
}

// complete puts a source into its one form and says what is wrong, all of it at once.
func (c Config) complete() (Config, error) {
	if c.Plugin == "" {
		c.Plugin = PluginPoll
	}
	c.Items = c.Items.Canonical()
	if c.MaxBody == 0 {
		c.MaxBody = defaultLimit
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = defaultStreams
	}
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := c.resolve(); err != nil {
		return Config{}, fmt.Errorf("source %s: %w", stream.Quote(c.Name), err)
	}
	if c.Name == "" {
		refuse("a source needs a name")
	}
	for name, d := range map[string]time.Duration{"interval": c.Interval, "timeout": c.Timeout, "gone_after": c.GoneAfter, "stall_after": c.StallAfter} {
		if d < 0 || d == 0 && name != "gone_after" {
			refuse("%s must be positive, not %v", name, d)
		}
	}
	if c.Interval > 0 && c.Interval < 50*time.Millisecond {
		refuse("interval %v is too short: 50ms at least", c.Interval)
	}
	if c.MaxStreams < 0 {
		refuse("max_streams must be positive, not %d", c.MaxStreams)
	}
	switch c.Plugin {
	case PluginPoll:
		errs = append(errs, c.completePoll())
	case PluginStatic:
	case PluginExec:
		if len(c.Command) == 0 || c.Command[0] == "" {
			refuse("plugin exec needs a command")
		}
	default:
		refuse("plugin %q is unknown: poll, static or exec", c.Plugin)
	}
	errs = append(errs, c.checkStreams())
	if c.SourceVars = maps.Clone(c.SourceVars); c.SourceVars == nil {
		c.SourceVars = map[string]string{}
	}
	if c.SourceVars["url"] == "" && c.URL != "" {
		c.SourceVars["url"] = withoutUser(c.URL)
	}
	if err := stream.CheckVars(c.SourceVars); err != nil {
		refuse("stream: %w", err)
	}
	if err := c.Labels.Check(); err != nil {
		refuse("labels: %w", err)
	}
	if err := errors.Join(errs...); err != nil {
		return Config{}, fmt.Errorf("source %s: %w", stream.Quote(c.Name), err)
	}
	return c, nil
}

// resolve fills in what differs from host to host.
func (c *Config) resolve() error {
	var err error
	if c.Resolve == nil {
		c.rank, err = stream.ParseRank(c.Rank)
		return err
	}
	rank, err := c.Resolve(c.Rank)
	if err != nil {
		return fmt.Errorf("rank: %w", err)
	}
	if c.rank, err = stream.ParseRank(rank); err != nil {
		return err
	}
	if c.Pull, err = c.Resolve(c.Pull); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	c.SourceVars = maps.Clone(c.SourceVars)
	for name, text := range c.SourceVars {
		if c.SourceVars[name], err = c.Resolve(text); err != nil {
			return fmt.Errorf("stream: %s: %w", name, err)
		}
	}
	c.Labels = maps.Clone(c.Labels)
	for name, text := range c.Labels {
		if c.Labels[name], err = c.Resolve(text); err != nil {
			return fmt.Errorf("labels: %s: %w", name, err)
		}
		if c.Labels[name] == "" {
			delete(c.Labels, name)
		}
	}
	c.Resolve = nil
	return nil
}

// defaultPorts are where the servers serve streams, in their own example
// configurations, as scheme and port.
var defaultPorts = map[string][2]string{
	"srtrelay":   {"srt", "1337"},
	"nginx-rtmp": {"rtmp", ""},
	"mediamtx":   {"rtsp", "8554"},
	"srs":        {"rtmp", ""},
}

func (c *Config) completePoll() error {
	if c.Type == "" {
		c.Type = "icecast"
	}
	if !slices.Contains(Types, c.Type) {
		return fmt.Errorf("type %q is unknown: %s", c.Type, strings.Join(Types, ", "))
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil: // its text would repeat a part of a password
		return errors.New("url: cannot be read; write http://host:port, and in a user or password / as %2F, @ as %40, % as %25")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("url: write http://host:port or https://host:port")
	}
	if u.User != nil {
		if c.User == "" && c.Password == "" {
			c.User = u.User.Username()
			c.Password, _ = u.User.Password()
		}
		c.URL = withoutUser(c.URL)
	}
	if c.Pull == "" {
		c.Pull = c.SourceVars["url"]
	}
	if c.Pull == "" {
		c.Pull = c.URL
		if port, ok := defaultPorts[c.Type]; ok {
			c.Pull = port[0] + "://" + u.Hostname()
			if strings.Contains(u.Hostname(), ":") {
				c.Pull = port[0] + "://[" + u.Hostname() + "]"
			}
			if port[1] != "" {
				c.Pull += ":" + port[1]
			}
		}
	}
	if err := stream.CheckPull(c.Pull, c.Type == "srtrelay"); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	return nil
}

// checkStreams checks what every announcement will be made of.
func (c *Config) checkStreams() error {
	var errs []error
	plain := stream.Announcement{Chain: c.Chain, Items: c.Items, Priority: c.Priority}
	if err := plain.Check(); err != nil {
		errs = append(errs, err)
	}
	for _, key := range c.Expect {
		if err := stream.CheckKey(key); err != nil {
			errs = append(errs, fmt.Errorf("expect: %w", err))
		}
	}
	for i, r := range c.Rules {
		if err := r.check(c.Items); err != nil {
			errs = append(errs, fmt.Errorf("rule %d: %w", i+1, err))
		}
	}
	for _, m := range c.Mounts {
		if err := errors.Join(stream.CheckKey(m.Key), stream.CheckVars(m.Vars)); err != nil {
			errs = append(errs, fmt.Errorf("streams: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (r Rule) check(of stream.Items) error {
	if r.Match == nil {
		return errors.New("match is missing")
	}
	vars := make(map[string]string, len(r.Vars))
	maps.Copy(vars, r.Vars)
	for _, name := range r.Match.SubexpNames() {
		if name != "" {
			vars[name] = ""
		}
	}
	a := stream.Announcement{Chain: r.Chain, Items: r.Items.Under(r.Chain, of), Vars: vars}
	if r.Priority != nil {
		a.Priority = *r.Priority
	}
	return a.Check()
}

// withoutUser takes the credentials out of a URL.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(unreadable url)"
	}
	u.User = nil
	return u.String()
}

// lister makes what asks the source; c is complete.
func (c Config) lister() lister {
	switch c.Plugin {
	case PluginStatic:
		return fixed(c.Mounts)
	case PluginExec:
		return &command{name: c.Name, argv: c.Command, confine: c.Confine, env: c.Env, timeout: c.Timeout, limit: c.MaxBody}
	}
	web := newFetcher(c.Timeout, c.MaxBody, c.Type != "nginx-rtmp", c.CA)
	web.user, web.password = c.User, c.Password
	switch c.Type {
	case "srtrelay":
		return &srtrelay{web: web, base: c.URL, pull: c.Pull}
	case "nginx-rtmp":
		return &nginxRTMP{web: web, url: c.URL, pull: c.Pull, workers: merger{forgets: true}}
	case "mediamtx":
		return &mediaMTX{web: web, base: c.URL, pull: c.Pull}
	case "srs":
		return &srs{web: web, base: c.URL, pull: c.Pull}
	default:
		return &icecast{web: web, base: c.URL, pull: c.Pull, user: c.User, password: c.Password}
	}
}

// kind is what the source is shown as: its server's type, else its plugin.
func (c Config) kind() string {
	if c.Plugin == PluginPoll {
		return c.Type
	}
	return c.Plugin
}
