package store_test

import (
	"fmt"
	"slices"
	"strings"

	"stream-api/stream"
)

// besides has a slot be a sidecar or none.
func (w *world) besides() {
	a := w.plan["t3"]
	item := stream.Item{Type: "rec"}
	if w.rng.IntN(3) > 0 {
		item.With = "enc"
	}
	a.Items = stream.Items{"side": item}.Canonical()
	w.plan["t3"] = a
	w.note("t3/side is to be %s", a.Items.Encode())
}

// anchor is the host where the copy of a slot is, beside which its sidecar runs.
func (p picture) anchor(key, slot, number string) string {
	for _, name := range p.instances(key, slot) {
		row := p["stream:"+key+":"+name]
		if row["host"] != "" && row["copy"] == number && row["follows"] == "" && row["state"] != "stopping" {
			return row["host"]
		}
	}
	return ""
}

// checkWaiting checks that a sidecar waits for a reason: its target is nowhere, or where
// it may not run.
func (w *world) checkWaiting(p picture, key, name string) error {
	row := p["stream:"+key+":"+name]
	kind, host := row["type"], p.anchor(key, row["with"], row["copy"])
	service := p["service:"+kind+":"+host]
	if host == "" || service == nil || service["state"] != "up" || !slices.Contains(classesFor(key), service["class"]) || strings.Contains(row["avoid"], host+"=") {
		return nil
	}
	if strain, fits := p.strain(kind, host, p.used(host)); row["booked"] != host && service["uses"] != "" && (!fits || strain > 1_000_000) {
		return nil
	}
	return fmt.Errorf("I9: %s/%s waits though %s, where its target is, could have it", key, name, host)
}
