package main

import (
	"strings"
	"testing"

	"stream-api/runners/supervisor"
	"stream-api/store"
)

func TestTheDoctorSeesAFullDisk(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		room     uint64
		noInodes bool
		want     store.Level
	}{{0, false, store.Failure}, {1 << 30, true, store.Failure}, {50 << 20, false, store.Warning}, {1 << 30, false, ""}} {
		found := judgeDisk("/state", row.room, row.noInodes)
		switch {
		case row.want == "" && len(found) == 0:
		case len(found) != 1 || found[0].Level != row.want || !strings.Contains(found[0].What, "/state"):
			t.Errorf("%d bytes, no inodes: %v: %+v; want %q", row.room, row.noInodes, found, row.want)
		}
	}
	if found := examineDisk("/nonexistent"); len(found) != 1 || found[0].Level != store.Warning {
		t.Errorf("a directory that is not there: %+v", found)
	}
}

func TestTheDoctorTellsWhyChildrenHaveNoCgroup(t *testing.T) {
	t.Parallel()
	with, without := supervisor.Found{Live: true}, supervisor.Found{Live: true}
	without.State.NoCgroup = "none mounted"
	if found := examineCgroups([]supervisor.Found{with, without}); len(found) != 1 || !strings.Contains(found[0].What, "1 children have no cgroup of their own: none mounted") {
		t.Errorf("%+v", found)
	}
	without.Live = false
	if found := examineCgroups([]supervisor.Found{with, without}); len(found) != 0 {
		t.Errorf("of children that are gone: %+v", found)
	}
}
