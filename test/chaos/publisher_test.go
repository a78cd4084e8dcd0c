package chaos

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// away is how long a publisher stays away.
func away() time.Duration { return or(12*time.Second, 40*time.Second) }

// backWithin is how soon after its stream is listed again a child must live.
const backWithin = 2 * time.Second

// pollEvery is how often a source looks.
const pollEvery = 500 * time.Millisecond

func TestAbsentPublisherCostsNoMoveAndNoGiveUp(t *testing.T) {
	t.Parallel()
	broken := filepath.Join(t.TempDir(), "broken")
	n := begin(t, plan{workers: 2, capacity: 10, streams: 4, goneAfter: 5 * time.Minute, childEnv: fmt.Sprintf("TEST_CHILD_FAIL_WHILE: %q", broken)})
	before := n.reservations()
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	n.crash(n.watch.Alive())
	n.list(0)
	n.hold(away())
	if alive := n.watch.Alive(); len(alive) != 0 {
		t.Fatalf("%d children live without a publisher", len(alive))
	}
	n.missing(4)
	n.sameReservations(before)

	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	n.list(4)
	listed := time.Now()
	n.awaitLive(4, time.Minute)
	for _, l := range n.watch.Alive() {
		took := l.Start.Sub(listed)
		lasted("publisher back, listed → child lives (poll every 0.5 s)", took)
		if took > backWithin+pollEvery+slack(t) {
			t.Errorf("the child of %s came back %v after its stream was listed", l.Stream, took)
		}
	}
	n.hold(3 * beat)
	n.sameReservations(before)
	n.noDoubles()
}

// crash kills children as a fault of their own would.
func (n *network) crash(children []realrun.Life) {
	n.t.Helper()
	for _, l := range children {
		pid, err := strconv.Atoi(l.PID)
		if err != nil {
			n.t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
			n.t.Fatalf("kill the child of %s: %v", l.Stream, err)
		}
	}
	realtest.Await(n.t, time.Minute, "the killed children are gone", func() bool {
		there := map[string]bool{}
		for _, l := range n.watch.Alive() {
			there[l.PID] = true
		}
		for _, l := range children {
			if there[l.PID] {
				return false
			}
		}
		return true
	})
}

// missing fails the test unless so many streams are announced and missing,
// each with a failure that its slot shows.
func (n *network) missing(streams int) {
	n.t.Helper()
	set, err := n.store().Announced(n.t.Context(), "list")
	if err != nil {
		n.t.Fatal(err)
	}
	if len(set.Entries) != streams || len(set.Missing) != streams {
		n.t.Errorf("%d streams announced, %d of them missing; want %d and %[3]d", len(set.Entries), len(set.Missing), streams)
	}
	for key, v := range n.instances() {
		if v.State != stream.Running || v.Restarts == 0 {
			n.t.Errorf("slot of %s is %s after %d restarts; want it running, tried again and again", key, v.State, v.Restarts)
		}
	}
}

func TestAbsentPublisherOfRealIcecastIsWaitedFor(t *testing.T) {
	t.Parallel()
	ingest := realtest.Icecast(t)
	publisher := ingest.Publish("/s000")
	n := begin(t, plan{
		workers: 2, capacity: 10, streams: 1,
		source:   fmt.Sprintf("sources:\n  - name: ingest\n    plugin: poll\n    vars: {url: %q, type: icecast, interval: 500ms, gone_after: 5m}\n    chain: [work]\n", ingest.URL),
		childEnv: `TEST_CHILD_RUN: "ffmpeg -hide_banner -loglevel error -nostdin -i ${source:url}/${stream:key} -map 0 -c copy -f null -"`,
	})
	before := n.reservations()
	publisher.Stop()
	n.hold(away())
	n.sameReservations(before)
	ingest.Publish("/s000")
	realtest.Await(t, time.Minute, "Icecast lists the stream again", func() bool { return strings.Contains(page(ingest.URL+"/status-json.xsl"), "/s000") })
	listed := time.Now()
	var lasting realrun.Life
	realtest.Await(t, time.Minute, "the child pulls the stream again", func() bool {
		for _, l := range n.watch.Alive() {
			lasting = l
			return time.Since(l.Start) > 2*time.Second // one that fails does so at once
		}
		return false
	})
	took := lasting.Start.Sub(listed)
	if took > backWithin+pollEvery+slack(t) {
		t.Errorf("the child came back %v after its stream was listed", took)
	}
	lasted("publisher back, listed by Icecast → ffmpeg pulls", took)
	n.sameReservations(before)
	n.noDoubles()
}

// page is what a URL answers, empty for no answer.
func page(url string) string {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }() // all was read
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	return string(text)
}
