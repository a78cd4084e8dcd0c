package runners

import (
	"context"

	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// Seen is a stream as a host sees it.
type Seen struct {
	store.Record
	Host string // that looks
	// Unwell are the services whose checks fail.
	Unwell map[store.ServiceAt]bool
}

// ValuesOf reads what templates of a service can know of a stream, and of one of its
// instances, off its record.
func ValuesOf(r Seen, service *plan.Service, instance string) plan.Values {
	v := plan.Values{Vars: r.Vars, Origin: r.Origin, Source: r.Source, Session: r.Sys["session"], Slots: map[string]map[string]string{}}
	for slot := range r.Slots {
		if vars := r.says(slot); len(vars) > 0 {
			v.Slots[slot] = vars
		}
	}
	v.Own = r.Items[stream.SlotOf(instance)].Vars
	v.Lead, v.Copy = r.Slots[stream.SlotOf(instance)].Lead == instance, r.Instances[instance].Copy
	if service == nil {
		return v
	}
	for _, n := range service.Lists(v.Own) {
		if list, ok := r.List(n.Slot, n.Var); ok {
			if v.Lists == nil {
				v.Lists = map[string]string{}
			}
			v.Lists[n.String()] = list
		}
	}
	return v
}

// says is what a slot says to this host: its lead's values; of one of which each host has an
// instance those of this host's own, if it has one that ever said something, else those of
// the lead, or, while that one's service fails its check, of one that is well.
func (r Seen) says(slot string) map[string]string {
	lead := r.Slots[slot]
	if r.Items[slot].Each == "" {
		return lead.Vars
	}
	own := r.Instances[stream.Instance{Slot: slot, Host: r.Host}.String()]
	switch {
	case own.State == stream.Stopping:
	case len(own.Vars) > 0:
		return own.Vars
	case len(own.Kept) > 0:
		return own.Kept
	}
	well := func(v store.InstanceRecord) bool {
		return v.State == stream.Running && !r.Unwell[store.ServiceAt{Type: v.Type, Host: v.Host}]
	}
	if well(r.LeadOf(slot)) {
		return lead.Vars
	}
	for _, v := range r.Of(slot) {
		if well(v) && len(v.Vars) > 0 {
			return v.Vars
		}
	}
	return lead.Vars
}

// values are those of the slot's stream.
func (h *holding) values(r Seen) plan.Values {
	return ValuesOf(r, h.service, h.reservation().Instance)
}

// seen reads what besides the records of streams a host has to know of them.
func (r *Runner) seen(ctx context.Context, records ...store.Record) ([]Seen, error) {
	out := make([]Seen, len(records))
	each := false
	for i, rec := range records {
		out[i] = Seen{Record: rec, Host: r.o.Host}
		for _, item := range rec.Items {
			each = each || item.Each == stream.EachHost
		}
	}
	if !each {
		return out, nil
	}
	unwell, err := r.store.Unwell(ctx)
	for i := range out {
		out[i].Unwell = unwell
	}
	return out, err
}
