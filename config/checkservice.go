package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"stream-api/stream"
)

func (d *decoder) finishService(c *Config, s *Service, path string) {
	s.Exec = s.Plugin.Exec
	if s.OnStoreLoss == "" {
		s.OnStoreLoss = c.Lease.OnStoreLoss
	}
	d.finishPlaces(s, path)
	if e := s.Plugin.Exec; e != nil {
		at := join(path, "plugin.restart")
		if e.Restart.MaxDelay < e.Restart.Delay {
			d.problem(d.valueAt(join(at, "max_delay")), at, "max_delay %s is less than delay %s", short(e.Restart.MaxDelay), short(e.Restart.Delay))
		}
	}
	if at := join(path, "tries"); s.Tries.MaxDelay < s.Tries.Delay {
		d.problem(d.valueAt(join(at, "max_delay")), at, "max_delay %s is less than delay %s", short(s.Tries.MaxDelay), short(s.Tries.Delay))
	}
	d.finishReady(s, join(path, "plugin.ready"))
	d.finishCheck(s, join(path, "check"))
	s.URL, s.Class = c.serviceURL(s), s.class()
	for _, use := range s.templates(path) {
		for _, ref := range use.template.Refs() {
			if message := checkRef(c, s, ref); message != "" {
				d.problem(d.valueAt(use.path), use.path, "%s", message)
			}
			if ref.All && s.Exec != nil && s.OnChange.Do == "" {
				d.problem(d.valueAt(use.path), use.path, "%s grows and shrinks as instances come and go: say what that does to a child that runs, on_change: restart, ignore or {signal: HUP}", ref)
			}
		}
	}
}

// finishPlaces: a place is for one slot, so there must be one for each.
func (d *decoder) finishPlaces(s *Service, path string) {
	if len(s.Places) == 0 {
		return
	}
	count := len(s.Places)
	switch {
	case s.Capacity == nil:
		s.Capacity = &count
	case *s.Capacity > count:
		d.problem(d.valueAt(join(path, "capacity")), join(path, "capacity"), "capacity %d is more than the %d places; a slot without a place cannot run", *s.Capacity, count)
	case *s.Capacity < count:
		d.warn(d.valueAt(join(path, "capacity")), join(path, "capacity"), "only the first %d of %d places will be used", *s.Capacity, count)
	}
}

// use is one template and where it stands.
type use struct {
	path     string
	template stream.Template
}

// templates are all of the service.
func (s *Service) templates(path string) []use {
	uses := []use{{join(path, "url"), s.URLTemplate}}
	for _, u := range s.Templates() {
		uses = append(uses, use{join(path, u.Path), u.Template})
	}
	if s.Check != nil {
		for _, u := range s.Check.Templates() {
			uses = append(uses, use{join(path, "check."+u.Path), u.Template})
		}
	}
	return uses
}

// checkRef says why a reference can never have a value on this host; empty if
// it may.
func checkRef(c *Config, s *Service, ref stream.Ref) string {
	if ref.HasDefault {
		return ""
	}
	switch {
	case ref.Scope == "host":
		return checkHostRef(c, ref)
	case ref.Scope == "place" && ref.Name != "index":
		return checkPlaceRef(s, ref)
	case ref.OfSlot() && ref.Scope == s.Type:
		return fmt.Sprintf("%s is a variable of this very service: it would wait for itself for ever", ref)
	}
	return ""
}

func checkHostRef(c *Config, ref stream.Ref) string {
	if ref.Name == "name" || ref.HasDefault {
		return ""
	}
	known := []string{"name"}
	for _, said := range []map[string]string{c.Network.Vars, c.Network.Labels} {
		if _, ok := said[ref.Name]; ok {
			return ""
		}
		known = append(known, slices.Sorted(maps.Keys(said))...)
	}
	return fmt.Sprintf("%s: there is no %q in network.vars or network.labels%s", ref, ref.Name, suggest(ref.Name, known))
}

func checkPlaceRef(s *Service, ref stream.Ref) string {
	if len(s.Places) == 0 {
		return fmt.Sprintf("%s: the service has no places (only ${place:index} is always there)", ref)
	}
	var without []string
	for i, place := range s.Places {
		if _, ok := place[ref.Name]; !ok {
			without = append(without, fmt.Sprint(i))
		}
	}
	if len(without) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: place %s (counted from 0) has no %q%s", ref, strings.Join(without, ", "), ref.Name,
		suggest(ref.Name, slices.Sorted(maps.Keys(s.Places[0]))))
}

// checkHostRefs checks templates that know the host's variables, but no place
// and no slot.
func (d *decoder) checkHostRefs(c *Config, uses []use) {
	for _, use := range uses {
		for _, ref := range use.template.Refs() {
			if ref.Scope != "host" {
				continue
			}
			if message := checkHostRef(c, ref); message != "" {
				d.problem(d.valueAt(use.path), use.path, "%s", message)
			}
		}
	}
}
