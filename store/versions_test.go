package store

import (
	"strings"
	"testing"

	"stream-api/stream"
)

func TestTheDoctorNamesHostsOfAnotherVersion(t *testing.T) {
	t.Parallel()
	hosts := []stream.HostStatus{
		{Host: "ber", State: stream.Up, Version: "v2"}, {Host: "fra", State: stream.Cordoned, Version: "v2"},
		{Host: "muc", State: stream.Up, Version: "v1"}, {Host: "old", State: stream.Down, Version: "v0"},
	}
	found := diagnoseVersions(hosts)
	if len(found) != 1 || found[0].Level != Warning || !strings.Contains(found[0].What, "version v1 runs on muc, v2 on the rest") {
		t.Errorf("%+v; want muc named, and nobody who is down", found)
	}
	if found := diagnoseVersions(hosts[:2]); len(found) != 0 {
		t.Errorf("all run the same: %+v", found)
	}
}
