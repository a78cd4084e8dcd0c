package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stream-api/stream"
)

// hostText is a host with its site, if it has one.
func hostText(name string, hosts []stream.HostStatus) string {
	for _, h := range hosts {
		if site := h.Labels[stream.LabelSite]; h.Host == name && site != "" {
			return name + " (site " + site + ")"
		}
	}
	return name
}

// printRelations says how an instance stands to others of its stream, and why it is where
// it is.
func printRelations(v stream.StreamStatus, instance stream.InstanceStatus, around stream.Status) {
	line := func(name, text string) {
		if text != "" {
			fmt.Printf("  %-7s %s\n", name, harmless(text))
		}
	}
	if several(instance) {
		line("copy", fmt.Sprintf("%d of %d", instance.Copy, v.Items.Copies(instance.Slot)))
		if instance.Lead {
			line("leads", "what it publishes is what "+instance.Slot+" says to the others")
		}
	}
	line("placed", hereText(instance, around.At))
	item := v.Items[instance.Slot]
	if item.Apart != "" {
		line("apart", item.Apart+", from "+cmp.Or(strings.Join(others(v, instance), ", "), "no other yet"))
	}
	line("beside", togetherText(instance))
	line("on", item.Host.String())
	for _, need := range needsOf(instance, item, around.Hosts) {
		line("reads", readText(v, need))
	}
}

// togetherText says with whom an instance is that it should be apart from; empty: nobody.
func togetherText(instance stream.InstanceStatus) string {
	t := instance.Together
	switch {
	case t == nil:
		return ""
	case t.By != "":
		return fmt.Sprintf("together with %s by hand: %s, by %s", strings.Join(t.With, ", "), instance.Host, t.By)
	}
	return "together with " + strings.Join(t.With, ", ") + ": one moves away when another host has room"
}

// others are the other copies of the slot, each with its host.
func others(v stream.StreamStatus, instance stream.InstanceStatus) []string {
	var out []string
	for _, o := range v.Slots {
		if o.Slot == instance.Slot && o.Instance != instance.Instance && o.Host != "" {
			out = append(out, o.Name+" ("+o.Host+")")
		}
	}
	return out
}

// needsOf are the variables of other slots that an instance reads: on account of its item,
// and of the service that runs it, or could.
func needsOf(instance stream.InstanceStatus, item stream.Item, hosts []stream.HostStatus) []stream.Need {
	needs := item.Needs()
	for _, h := range hosts {
		for _, s := range h.Services {
			if s.Type != instance.Type || instance.Host != "" && instance.Host != h.Host {
				continue
			}
			more, err := stream.ParseNeeds(s.Needs)
			if err != nil {
				continue // a hand broke it: its service says so
			}
			for _, n := range more {
				if !slices.Contains(needs, n) {
					needs = append(needs, n)
				}
			}
		}
	}
	return needs
}

// readText says what a variable of another slot is, and who says so.
func readText(v stream.StreamStatus, need stream.Need) string {
	for _, s := range v.Slots {
		value, said := s.Vars[need.Var]
		if s.Slot == need.Slot && s.Lead && said {
			return fmt.Sprintf("%s on %s: %s=%s", s.Name, cmp.Or(s.Host, "no host now"), need.Var, value)
		}
	}
	return need.String() + ", which nobody has said yet"
}
