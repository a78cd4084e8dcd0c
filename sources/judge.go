package sources

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stream-api/stream"
)

// verdict is what the rules make of one listed mount: an announcement, or a
// reason to refuse it, or nothing when it is none of ours.
type verdict struct {
	key          string
	ignored      bool   // match leaves it out: not ours, and no fault
	refused      string // why it may not be announced
	announcement stream.Announcement
	encoded      string  // the announcement as it is stored
	places       []Place // where the stream is at the ingest
}

// judge applies the configuration to one mount. It is pure: the same mount
// always gets the same verdict.
func (c *Config) judge(m stream.Mount) verdict {
	v := verdict{key: c.key(m.Key)}
	// match comes first: what is not meant for us needs no good name.
	if c.Match != nil && !c.Match.MatchString(v.key) {
		v.ignored = true
		return v
	}
	if err := stream.CheckKey(v.key); err != nil {
		v.refused = err.Error()
		return v
	}
	a := stream.Announcement{
		Chain: c.Chain, Items: c.Items, Priority: c.Priority, Rank: c.rank,
		Source: c.SourceVars, Labels: c.Labels, Session: m.Session,
	}
	a.Vars = maps.Clone(m.Vars)
	for i := range c.Rules {
		if c.Rules[i].apply(v.key, &a) {
			break
		}
	}
	if err := a.Check(); err != nil {
		v.refused = fmt.Sprintf("stream %s: %v", v.key, err)
		return v
	}
	v.announcement, v.encoded = a, a.Encode()
	v.places = c.places(m, v.key)
	return v
}

// places is where a stream is that the server lists: at each host by which the
// server is known here, and at what processing pulls from.
func (c *Config) places(m stream.Mount, key string) []Place {
	var all []Place
	for _, base := range []string{c.URL, c.Pull, c.SourceVars["url"]} {
		if _, rest, ok := strings.Cut(base, "://"); ok {
			all = append(all, Place{hostOf(rest[:strings.IndexAny(rest+"/", "/?#")]), strings.TrimLeft(m.Key, "/")})
		}
	}
	all = append(all, Places(m.Vars["url"])...)
	all = append(all, Places(c.pullByKey(key))...)
	slices.SortFunc(all, func(a, b Place) int { return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Name, b.Name)) })
	return slices.Compact(all)
}

// key is that of the stream a server lists as name.
func (c *Config) key(name string) string { return strings.TrimPrefix(name, c.Strip) }

// apply changes the announcement if the rule matches its key.
func (r *Rule) apply(key string, a *stream.Announcement) bool {
	groups := r.Match.FindStringSubmatchIndex(key)
	if groups == nil {
		return false
	}
	if r.Chain != nil {
		a.Chain, a.Items = r.Chain, r.Items.Under(r.Chain, a.Items)
	}
	if r.Priority != nil {
		a.Priority = *r.Priority
	}
	if a.Vars == nil {
		a.Vars = make(map[string]string)
	}
	for i, name := range r.Match.SubexpNames() {
		// A group that took no part is no variable, so that defaults work.
		if name != "" && groups[2*i] >= 0 {
			a.Vars[name] = key[groups[2*i]:groups[2*i+1]]
		}
	}
	maps.Copy(a.Vars, r.Vars)
	return true
}

// pullByKey is ${source:url}/${stream:key}, which many a chain pulls from.
func (c *Config) pullByKey(key string) string {
	if c.SourceVars["url"] == "" {
		return ""
	}
	return join(c.SourceVars["url"], key)
}
