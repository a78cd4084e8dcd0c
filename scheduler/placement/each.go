package placement

import "stream-api/stream"

// Each tells which hosts are to have an instance of a slot of which each host has one, and
// which keep the one that they have, both in the order of the services: who offers it
// and is admitted has one; who takes nothing new, or does not read, keeps it; a drained
// host keeps it until emptied says that nothing else is there. Of the instance only its
// stream and what its item says of hosts count.
func Each(s Instance, classes []Class, services []Service, emptied func(host string) bool) (have, keep []string) {
	byID := make(map[string]Class, len(classes))
	for _, c := range classes {
		byID[c.ID] = c
	}
	for _, o := range services {
		if o.Withdrawn {
			continue
		}
		c := byID[o.Class]
		if c.Rule == nil || s.Host.Unresolved() != "" {
			keep = append(keep, o.Host) // what cannot be read ends nothing
			continue
		}
		_, ok := admits(c, s.Key)
		switch {
		case !ok || !s.Host.Matches(o.Host, c.Rule.Labels()):
		case o.HostState == stream.Draining && emptied(o.Host):
		case o.HostState == stream.Up && o.State == stream.Up:
			have = append(have, o.Host)
		default:
			keep = append(keep, o.Host)
		}
	}
	return have, keep
}
