package config

import (
	"maps"
	"slices"

	"stream-api/stream"
)

// checkLabels: ${host:NAME} is one thing, and a place is best a label.
func (d *decoder) checkLabels(c *Config) {
	for _, name := range slices.Sorted(maps.Keys(c.Network.Labels)) {
		if _, twice := c.Network.Vars[name]; twice {
			path := join("network.labels", name)
			d.problem(d.at(path), path, "%q is in network.vars, too, in line %d, and ${host:%s} is one of them: take one out",
				name, d.at(join("network.vars", name)).line, name)
		}
	}
	for _, name := range []string{stream.LabelSite, stream.LabelRegion} {
		_, variable := c.Network.Vars[name]
		_, label := c.Network.Labels[name]
		if path := join("network.vars", name); variable && !label {
			d.warn(d.at(path), path, "this is only ${host:%s}: under network.labels it is that as well, and says to all where this host stands", name)
		}
	}
}

// checkSourceLabels checks what the host's variables make of them.
func (d *decoder) checkSourceLabels(c *Config, s *Source, path string) {
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		text, err := s.Labels[name].Resolve(c.hostOnly)
		if err != nil || text == "" {
			continue // an unknown host variable: that is said
		}
		if err := stream.CheckLabelValue(text); err != nil {
			at := join(path, name)
			d.problem(d.valueAt(at), at, "%v", err)
		}
	}
}

// Labels are what the file says of the host.
func (c *Config) Labels() stream.Labels { return c.Network.Labels }
