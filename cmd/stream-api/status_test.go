package main

import (
	"strings"
	"testing"

	"stream-api/stream"
)

func TestStatusNotesWhatASourceLacks(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := sourceTable(stream.Status{
		Streams: []stream.StreamStatus{{Key: "s1"}},
		Sources: []stream.SourceStatus{{
			Name: "ingest", State: stream.SourceGood, Expect: []string{"s1", "s5"}, Stalled: []string{"s1"},
			Warning: "the admin password is refused", Refused: 2, Example: "../x: no key",
		}},
	}).write(&out, false)
	if want := "the admin password is refused; missing: s5; stalled: s1; 2 refused, such as ../x: no key"; err != nil || !strings.Contains(out.String(), want) {
		t.Errorf("%v\n%s\nwant: %s", err, out.String(), want)
	}
}

func TestStatusTellsWhoPollsWithoutFigures(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := hostTable(stream.Status{Hosts: []stream.HostStatus{{Host: "ber", State: stream.Up, Services: []stream.ServiceStatus{
		{Type: "dist", State: stream.Up, Used: 2}, {Type: stream.SourceType, State: stream.Up},
	}}}}).write(&out, false)
	if err != nil || !strings.Contains(out.String(), "dist     2/∞") || !strings.Contains(out.String(), "source   polls") {
		t.Errorf("%v\n%s\nwant 2/∞ of dist, and of source that it polls", err, out.String())
	}
}

func TestHostsAreListedWithTheirVersions(t *testing.T) {
	t.Parallel()
	two := []stream.ServiceStatus{{Type: "dist", State: stream.Up}, {Type: "work", State: stream.Up}}
	var out strings.Builder
	if err := versionTable(stream.Status{Hosts: []stream.HostStatus{
		{Host: "ber", State: stream.Up, Version: "v2.1", Services: two}, {Host: "fra", State: stream.Up, Version: "v2.0"},
	}}).write(&out, false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{"VERSION  LAYOUT", "v2.1", "", "v2.0"} {
		if !strings.HasSuffix(strings.TrimRight(lines[i], " -"), want) || strings.Count(out.String(), "v2.1") != 1 {
			t.Errorf("line %d of\n%s\ndoes not end with %q", i, out.String(), want)
		}
	}
}
