package sources

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

func TestNewStreamsBeyondTheMostAreTakenOutAndKnownOnesStay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name                 string
		listed, known, stays string
		most, over           int
		example              string
	}{
		{"all fit", "a b", "a", "a b", 2, 0, ""},
		{"the last by name are out", "d c a b", "", "a b", 2, 2, "c"},
		{"known ones have the room, listed or not", "a b x", "x y", "x", 2, 2, "a"},
		{"the room that is left", "b a x", "x y", "a x", 3, 1, "b"},
		{"more are known than may be", "a x y z", "x y z", "x y z", 2, 1, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := view{present: map[string]*verdict{}, bytes: map[string]int64{}, earlier: map[string]bool{}}
			for key := range strings.FieldsSeq(tt.listed) {
				v.present[key], v.bytes[key], v.earlier[key] = &verdict{key: key}, 1, true
			}
			known := store.AnnouncedSet{Entries: map[string]string{}}
			for key := range strings.FieldsSeq(tt.known) {
				known.Entries[key] = "{}"
			}
			v.bound(known, tt.most)
			got := strings.Join(slices.Sorted(maps.Keys(v.present)), " ")
			if got != tt.stays || v.over != tt.over || v.overOf != tt.example || len(v.bytes) != len(v.present) || len(v.earlier) != len(v.present) {
				t.Errorf("%q stay, %d are refused such as %q; want %q, %d, %q", got, v.over, v.overOf, tt.stays, tt.over, tt.example)
			}
		})
	}
}

// Whatever kind of source it is: what is announced stays, and room that is left
// by what is gone is given to the next.
func TestASourceAnnouncesNoMoreStreamsThanItMay(t *testing.T) {
	t.Parallel()
	w, ingest := newWorld(t), newRelay(t, "s2", "s3")
	c := ingest.config()
	c.MaxStreams = 2
	w.poll(c, "a")
	w.await(20*time.Second, "ingest", "s2", "s3")
	ingest.set("s1", "s2", "s3", "s4")
	told := func(over int) func() bool {
		return func() bool {
			all, err := w.store.Sources(t.Context())
			return err == nil && len(all) > 0 && all[0].Over == over && all[0].OverExample == map[bool]string{true: "s1"}[over > 0] && all[0].State == stream.SourceGood
		}
	}
	realtest.Await(t, 20*time.Second, "two new ones refused", told(2))
	w.await(time.Second, "ingest", "s2", "s3")
	ingest.set("s1", "s3")
	w.await(20*time.Second, "ingest", "s1", "s3")
	realtest.Await(t, 20*time.Second, "none refused", told(0))
	events, err := w.store.LastEvents(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var full []string
	for _, e := range events {
		if e.Event == "source-full" {
			full = append(full, fmt.Sprint(e.Reason))
		}
	}
	if len(full) == 0 || !strings.Contains(full[0], "ingest announces the 2 streams it may") || !strings.Contains(full[0], "such as s1") {
		t.Errorf("events: %q", full)
	}

	for name, c := range map[string]Config{
		"list":    {Name: "list", Plugin: PluginStatic, Mounts: []stream.Mount{{Key: "b"}, {Key: "a"}, {Key: "c"}}, MaxStreams: 2},
		"command": {Name: "command", Plugin: PluginExec, Command: []string{"printf", "%s\n", "b", "a", "c"}, MaxStreams: 2},
	} {
		w.poll(c, "a")
		w.await(20*time.Second, name, "a", "b")
	}
}
