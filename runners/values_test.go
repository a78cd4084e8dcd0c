package runners_test

import (
	"testing"

	"stream-api/runners"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// What a slot says of which each host has an instance is what that of this very host says.
func TestASlotOfEachHostSaysWhatThisHostsOwnSays(t *testing.T) {
	t.Parallel()
	relay := func(host, url string, state stream.State) store.InstanceRecord {
		v := store.InstanceRecord{Reservation: store.Reservation{Type: "r", Instance: "relay@" + host, Host: host}, State: state, Vars: map[string]string{}}
		if url != "" {
			v.Vars["url"] = url
		}
		return v
	}
	record := store.Record{
		Chain: []string{"relay"}, Items: stream.Items{"relay": {Type: "r", Each: stream.EachHost}},
		Slots: map[string]store.Slot{"relay": {Lead: "relay@a", Vars: map[string]string{"url": "A"}}},
		Instances: map[string]store.InstanceRecord{
			"relay@a": relay("a", "A", stream.Running), "relay@b": relay("b", "B", stream.Running), "relay@c": relay("c", "", stream.Running),
			"relay@d": relay("d", "", stream.Pending), "relay@e": relay("e", "E", stream.Stopping),
		},
	}
	dead := record.Instances["relay@d"]
	dead.Kept = map[string]string{"url": "D"}
	record.Instances["relay@d"] = dead
	service := &plan.Service{Exec: &plan.Exec{Env: map[string]stream.Template{"L": template(t, "${relay*:url} ${relay*:none:-}")}}}
	for host, want := range map[string]string{"a": "A", "b": "B", "c": "A", "d": "D", "e": "A", "x": "A"} {
		v := runners.ValuesOf(runners.Seen{Record: record, Host: host}, service, "dep.1")
		if got := v.Slots["relay"]["url"]; got != want {
			t.Errorf("on %s it says %q, want %q", host, got, want)
		}
		if len(v.Lists) != 1 || v.Lists["relay*:url"] != "A B D" {
			t.Errorf("on %s all say %v", host, v.Lists)
		}
	}
	unwell := map[store.ServiceAt]bool{{Type: "r", Host: "a"}: true}
	if got := runners.ValuesOf(runners.Seen{Record: record, Host: "x", Unwell: unwell}, service, "dep.1").Slots["relay"]["url"]; got != "B" {
		t.Errorf("while the lead's service fails its check it says %q, want what one says that is well", got)
	}
}
