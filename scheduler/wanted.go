package scheduler

import (
	"maps"
	"slices"
	"strings"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// decideWant makes what is declared of a stream into what is wanted of it. again
// is when to look anew though nobody says anything new, server ms; 0: never.
// before is the stream's record, used only where nothing declared of it reads:
// what cannot be read is unknown, and does not end a stream.
func decideWant(mark store.Mark, v store.Declared, before *store.Record, hysteresis time.Duration) (w store.Want, again int64) {
	c := chooseSource(v, hysteresis)
	if c.source == "" {
		if len(v.Problems) > 0 {
			return unreadable(mark, v, before), 0
		}
		return store.Want{Mark: mark}, 0
	}
	a := v.BySource[c.source].Announcement
	fields := map[string]string{"source": c.source}
	maps.Copy(fields, a.Vars)
	maps.Copy(fields, operatorsVars(v))
	for name, value := range a.Source {
		fields["source:"+name] = value
	}
	set := func(name, value string) {
		if value != "" {
			fields["sys:"+name] = value
		}
	}
	set("session", a.Session)
	set("labels", a.Labels.Encode())
	set("return", c.memory)
	set("reason", unread(v).Wire())
	if c.away {
		set("away", "1")
	}
	chain := v.Overrides.Switch(a.Chain)
	if len(chain) == 0 && len(a.Chain) > 0 {
		set("reason", stream.Because(stream.CodeAllOff).Wire())
	}
	if v.Overrides.Held {
		set("reason", stream.Because(stream.CodeHeld).Wire())
	}
	return store.Want{
		Mark: mark, Wanted: true, Held: v.Overrides.Held, Adds: len(v.Problems) > 0,
		Chain: chain, Items: resolved(a.Items.In(chain), v.Key, fields), Priority: a.Priority, Fields: fields,
	}, c.again
}

// resolved are items with what the stream and its source say filled in where it decides
// which hosts may run a slot: placement looks at a record and at nothing else.
func resolved(items stream.Items, key string, fields map[string]string) stream.Items {
	out := make(stream.Items, len(items))
	for slot, item := range items {
		item.Host = item.Host.Resolve(func(ref stream.Ref) (string, bool, error) {
			name := ref.Name
			switch {
			case ref.Scope == "source":
				name = "source:" + name
			case ref.Scope != "stream" || name == "source":
				return "", false, nil
			case name == "key":
				return key, true, nil
			}
			value, ok := fields[name]
			return value, ok, nil
		})
		out[slot] = item
	}
	return out.Canonical()
}

// operatorsVars are an operator's variables; those that no stream may have,
// set by hand in Redis, are passed over.
func operatorsVars(v store.Declared) map[string]string {
	vars := make(map[string]string, len(v.Overrides.Vars))
	for name, value := range v.Overrides.Vars {
		if stream.CheckVars(map[string]string{name: value}) == nil {
			vars[name] = value
		}
	}
	return vars
}

// unreadable keeps a stream as it was while no announcement of it reads, and
// shows why. If its chain does not read either, the slots it has are its chain.
func unreadable(mark store.Mark, v store.Declared, before *store.Record) store.Want {
	w := store.Want{Mark: mark, Wanted: true, Held: v.Overrides.Held, Adds: true, Fields: map[string]string{"source": ""}}
	if before != nil {
		w.Chain, w.Priority, w.Fields = before.Chain, before.Priority, before.Fields()
		w.Fields["source"] = before.Source
		if labels := before.Sys["labels"]; labels != "" {
			w.Fields["sys:labels"] = labels
		}
		if len(w.Chain) == 0 {
			w.Chain = slices.Sorted(maps.Keys(before.Slots))
		}
		w.Chain = v.Overrides.Switch(w.Chain) // what is switched off ends when the announcement reads again
		w.Items = itemsOf(*before, w.Chain)
	}
	w.Fields["sys:reason"] = unread(v).Wire()
	return w
}

// itemsOf are the items of a record's chain; if they do not read, the slots it has
// are of the types they were of.
func itemsOf(r store.Record, chain []string) stream.Items {
	items := stream.Items{}
	for _, slot := range chain {
		item := r.Items[slot]
		item.Type = r.TypeOf(slot)
		items[slot] = item
	}
	for _, job := range r.Items.Jobs() {
		items[job] = r.Items[job]
	}
	return items.Canonical()
}

// unread says what of the things said of a stream does not read; none: all does.
func unread(v store.Declared) stream.Reason {
	if len(v.Problems) == 0 {
		return stream.Reason{}
	}
	return stream.Because(stream.CodeUnreadable, "problems", strings.Join(v.Problems, "; "))
}
