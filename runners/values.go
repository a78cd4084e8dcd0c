package runners

import (
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// ValuesOf reads what templates can know of a stream, and of one of its instances,
// off its record.
func ValuesOf(r store.Record, instance string) plan.Values {
	v := plan.Values{Vars: r.Vars, Origin: r.Origin, Source: r.Source, Session: r.Sys["session"], Slots: map[string]map[string]string{}}
	for slot, s := range r.Slots {
		if len(s.Vars) > 0 {
			v.Slots[slot] = s.Vars
		}
	}
	v.Own = r.Items[stream.SlotOf(instance)].Vars
	v.Lead, v.Copy = r.Slots[stream.SlotOf(instance)].Lead == instance, r.Instances[instance].Copy
	return v
}
