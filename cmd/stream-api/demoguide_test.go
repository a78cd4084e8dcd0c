package main

import (
	"strings"
	"testing"

	"stream-api/stream"
)

// pictured is a picture of the tour's stream: instances as "name host", waiting ones as
// "name apart", and the hosts that are up.
func pictured(upHosts string, instances ...string) stream.Status {
	s := stream.StreamStatus{Key: tourKey}
	for _, line := range instances {
		name, host, _ := strings.Cut(line, " ")
		v := stream.InstanceStatus{Name: name, Slot: strings.Split(name, ".")[0], State: stream.Running, Host: host}
		if host == "apart" {
			v.State, v.Host, v.Told = stream.Pending, "", stream.Because(stream.CodeApart, "apart", "record.1 on bravo").Told()
		}
		s.Slots = append(s.Slots, v)
	}
	status := stream.Status{Streams: []stream.StreamStatus{s}}
	for _, name := range demoHostNames {
		state := stream.Down
		if strings.Contains(upHosts, name) {
			state = stream.Up
		}
		status.Hosts = append(status.Hosts, stream.HostStatus{Host: name, State: state})
	}
	return status
}

// The tour tells one step after the other, each once it is seen, and nothing twice.
func TestTheTourTellsWhatIsNextOnceItIsSeen(t *testing.T) {
	t.Parallel()
	guide := tour{program: "stream-api", redis: "redis://x"}
	all := "alpha bravo charlie"
	for i, step := range []struct {
		status stream.Status
		want   string // nothing, or what is said
	}{
		{pictured(all, "dist bravo", "transcode bravo"), ""},
		{pictured(all, "dist bravo", "transcode bravo", "hls charlie", "thumb charlie", "record.1 bravo", "record.2 charlie"), "kill charlie"},
		{pictured(all, "dist bravo", "transcode bravo", "hls charlie", "thumb charlie", "record.1 bravo", "record.2 charlie"), ""},
		{pictured("alpha bravo", "dist bravo", "transcode bravo", "record.1 bravo"), ""},
		{pictured("alpha bravo", "dist bravo", "transcode bravo", "hls bravo", "thumb bravo", "record.1 bravo", "record.2 alpha"), "kill alpha"},
		{pictured("bravo", "dist bravo", "transcode bravo", "hls bravo", "thumb bravo", "record.1 bravo", "record.2 apart"), "stream-api why s1 record.2 --redis redis://x"},
		{pictured("alpha bravo", "dist bravo", "transcode bravo", "hls bravo", "thumb bravo", "record.1 bravo", "record.2 alpha"), "record.2 runs again, on alpha. Now type: start charlie"},
		{pictured(all, "dist bravo"), ""},
		{pictured(all), "That was the tour"},
		{pictured(all), ""},
	} {
		if got := guide.next(step.status); (got == "") != (step.want == "") || !strings.Contains(got, step.want) {
			t.Errorf("step %d: %q; want %q", i, got, step.want)
		}
	}
}
