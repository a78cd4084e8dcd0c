package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

var (
	metricName = regexp.MustCompile(`\bstream_api_[a-z0-9_]+`)
	described  = regexp.MustCompile("(?m)^\\| `(stream_api_[a-z0-9_]+)` \\|")
	descName   = regexp.MustCompile(`fqName: "(stream_api_[a-z0-9_]+)"`)
)

// metricNames are those the process can ever expose, by their descriptions.
func metricNames(m *Metrics) map[string]bool {
	names := map[string]bool{}
	descs := make(chan string)
	go func() {
		defer close(descs)
		for _, c := range m.collectors() {
			for _, d := range describe(c) {
				descs <- d.String()
			}
		}
	}()
	for text := range descs {
		if found := descName.FindStringSubmatch(text); found != nil {
			names[found[1]] = true
		}
	}
	return names
}

func TestDashboardAndAlertsUseOnlyMetricsThatExist(t *testing.T) {
	t.Parallel()
	names := metricNames(NewMetrics("1"))
	if len(names) < 25 {
		t.Fatalf("only %d metrics: %v", len(names), names)
	}
	check := func(file string, least int) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var parsed any
		if strings.HasSuffix(file, ".json") {
			err = json.Unmarshal(text, &parsed)
		} else {
			err = yaml.Unmarshal(text, &parsed)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		used := metricName.FindAllString(string(text), -1)
		if len(used) < least {
			t.Errorf("%s uses only %d metrics", file, len(used))
		}
		for _, name := range used {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
			if !names[name] && !names[base] {
				t.Errorf("%s uses %s, which does not exist", file, name)
			}
		}
	}
	check("../deploy/grafana/dashboard.json", 15)
	check("../deploy/prometheus/alerts.yaml", 10)
}

func TestTableOfMetricsIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]bool{}
	for _, found := range described.FindAllStringSubmatch(string(text), -1) {
		table[found[1]] = true
	}
	names := metricNames(NewMetrics("1"))
	for name := range names {
		if !table[name] {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
	for name := range table {
		if !names[name] {
			t.Errorf("docs/metrics.md has %s, which does not exist", name)
		}
	}
}

func TestScrapeTellsThePictureAndPassesTheLinter(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 2}, offer{kind: "dist", capacity: -1})
	c.host("gone", offer{kind: "transcode", capacity: 5})
	c.leave("gone")
	c.appear("s1", nil, "transcode", "dist")
	v := c.run("s1", "transcode", "speedy", "")
	c.report(v, "", "", map[string]string{"speed": "0.91x"})
	c.note("s1", "dist", `needs {"needs":"transcode:url"}`)
	c.poll("ingest", store.SourceInfo{Type: "icecast", Expect: []string{"s1", "s2"}})
	m := NewMetrics("1.2")
	m.Polls(func() []PollCounts { return []PollCounts{{Source: "ingest", Good: 7, Failed: 2}} })
	m.Script("place", 1e6, nil)
	s, err := New(Options{Store: c.store, Listen: "127.0.0.1:0", Metrics: m, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	text := ask(s.Handler(), asking{path: "/metrics"}).Body.String()
	for _, line := range []string{
		"stream_api_store_up 1", "stream_api_streams 1",
		`stream_api_slots{state="running",type="transcode"} 1`, `stream_api_slots_pending{type="dist",why="needs"} 1`,
		`stream_api_service_capacity{host="speedy",type="transcode"} 2`, `stream_api_service_used{host="speedy",type="transcode"} 1`,
		`stream_api_slot_speed{host="speedy",stream="s1",type="transcode"} 0.91`, `stream_api_source_missing{source="ingest"} 1`,
		`stream_api_headroom_unplaced_slots{host="speedy"} 1`, `stream_api_polls_total{result="good",source="ingest"} 7`,
		`stream_api_script_seconds_count{script="place"} 1`, `stream_api_build_info{version="1.2"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the scrape lacks %s", line)
		}
	}
	if strings.Contains(text, `stream_api_service_capacity{host="speedy",type="dist"}`) {
		t.Error("a service without a limit has a capacity")
	}
	if !strings.Contains(text, `stream_api_source_last_good_seconds{source="ingest"}`) || strings.Contains(text, `stream_api_source_last_good_seconds{source="manual"}`) {
		t.Error("want the age of the last poll of what is polled, and of that alone")
	}
	if strings.Contains(text, `host="gone"`) {
		t.Error("a host that left has metrics")
	}
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("linter: %v, %v", problems, err)
	}
}

// StreamApiSlotNotRunning and StreamApiRestartLoop go by these.
func TestASlotWithoutAChildIsNotCountedAsRunning(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.host("speedy", offer{kind: "slow", capacity: 2}, offer{kind: "broken", capacity: 2}, offer{kind: "fine", capacity: 2})
	c.appear("s1", nil, "slow", "broken", "fine")
	c.run("s1", "fine", "speedy", "")
	c.report(c.run("s1", "slow", "speedy", ""), "", "", map[string]string{"phase": "starting"})
	v := c.run("s1", "broken", "speedy", "")
	m := NewMetrics("1.2")
	s, err := New(Options{Store: c.store, Listen: "127.0.0.1:0", Metrics: m, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ask(s.Handler(), asking{path: "/metrics"})
	for n := 1; n <= 3; n++ {
		c.report(v, "exited", "cannot start", map[string]string{"phase": "failing", "restarts": strconv.Itoa(n)})
	}
	var text string
	realtest.Await(t, time.Minute, "what does not run is not shown", func() bool {
		text = ask(s.Handler(), asking{path: "/metrics"}).Body.String()
		for _, line := range []string{
			`stream_api_slots{state="failing",type="broken"} 1`, `stream_api_slots{state="starting",type="slow"} 1`,
			`stream_api_slots{state="running",type="fine"} 1`, `stream_api_slot_restarts_total{stream="s1",type="broken"} 3`,
		} {
			if !strings.Contains(text, line+"\n") {
				return false
			}
		}
		waits := regexp.MustCompile(`(?m)^stream_api_slot_wait_seconds\{type="(broken|slow)"\} [0-9.]*[1-9]`).FindAllString(text, -1)
		return len(waits) == 2
	})
	if strings.Contains(text, `stream_api_slot_wait_seconds{type="fine"}`) {
		t.Error("what runs is said to wait")
	}
}

// StreamApiSlotDegraded and StreamApiSlotFragile go by these; a stand-by that waits is no slot that waits.
func TestScrapeTellsWhatIsDownDegradedAndFragile(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.host("a", offer{kind: "enc", capacity: 1}, offer{kind: "hls", capacity: 2}, offer{kind: "rec", capacity: 2})
	c.relate("s1", stream.Items{"enc": {Copies: 2, Apart: stream.ApartHost}, "rec": {Copies: 2}}, "enc", "hls", "rec", "none")
	c.runInstance("s1", "enc.1", "enc", "a", "")
	c.run("s1", "hls", "a", "")
	c.runInstance("s1", "rec.1", "rec", "a", "")
	c.runInstance("s1", "rec.2", "rec", "a", "")
	c.host("a", offer{kind: "enc", capacity: 1}, offer{kind: "hls", filter: "^x", capacity: 2}, offer{kind: "rec", capacity: 1}) // its file says less now
	m := NewMetrics("1.2")
	s, err := New(Options{Store: c.store, Listen: "127.0.0.1:0", Metrics: m, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	text := ask(s.Handler(), asking{path: "/metrics"}).Body.String()
	for _, line := range []string{
		`stream_api_slots_down{type="enc"} 0`, `stream_api_slots_down{type="none"} 1`, `stream_api_slots_degraded{type="enc"} 1`, `stream_api_slots_degraded{type="rec"} 0`,
		`stream_api_slots_degraded{type="none"} 0`, `stream_api_slots_fragile{type="hls"} 1`, `stream_api_slots_fragile{type="rec"} 2`, `stream_api_slots_fragile{type="enc"} 0`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the scrape lacks %s", line)
		}
	}
	if strings.Contains(text, `stream_api_slot_wait_seconds{type="enc"}`) || !strings.Contains(text, `stream_api_slot_wait_seconds{type="none"}`) {
		t.Error("want that a slot waits of which nothing runs, and none of which something does")
	}
	var status stream.Status
	if err := json.Unmarshal(ask(s.Handler(), asking{path: "/api/v1/status"}).Body.Bytes(), &status); err != nil {
		t.Fatal(err)
	}
	v := status.Streams[0]
	if strings.Join(v.Down, " ") != "none" || strings.Join(v.Degraded, " ") != "enc" || len(status.Fragile) != 3 || status.Fragile[0].Reason != "the filter of the only hls service does not match this stream" {
		t.Errorf("down %q, degraded %q, fragile %+v", v.Down, v.Degraded, status.Fragile)
	}
}

func TestDurationsAreReadOutOfTheFeed(t *testing.T) {
	t.Parallel()
	l := newLifetimes()
	var got []sample
	for _, e := range []store.Event{
		{ID: "1000-0", Event: "appeared", Stream: "s1"},
		{ID: "1100-0", Event: "claimed", Stream: "s1", Slot: "dist"}, // nothing runs yet
		{ID: "1250-0", Event: "started", Stream: "s1", Slot: "dist"},
		{ID: "5000-0", Event: "started", Stream: "s1", Slot: "dist"}, // moved: not its first start
		{ID: "6000-0", Event: "reaped", Stream: "s1", Slot: "dist"},
		{ID: "6500-0", Event: "started", Stream: "s1", Slot: "dist"},
		{ID: "7000-0", Event: "started", Stream: "unseen", Slot: "dist"},
		{ID: "7100-0", Event: "started", Stream: "s1", Slot: "upload~0123456789abcdef"}, // a job
		{ID: "7200-0", Event: "reaped", Stream: "s1", Slot: "upload~0123456789abcdef"},
		{ID: "7300-0", Event: "started", Stream: "s1", Slot: "upload~0123456789abcdef"},
		{ID: "8000-0", Event: "gone", Stream: "s1"},
		{ID: "9000-0", Event: "appeared", Stream: "s1"},
		{ID: "9100-0", Event: "started", Stream: "s1", Slot: "dist"},
		{ID: "nonsense", Event: "started", Stream: "s1", Slot: "dist"},
	} {
		if s, ok := l.observe(e); ok {
			got = append(got, s)
		}
	}
	want := []sample{{kind: "dist", seconds: .25}, {failover: true, kind: "dist", seconds: .5}, {kind: "dist", seconds: .1}}
	if len(got) != len(want) {
		t.Fatalf("durations %+v; want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("duration %d: %+v; want %+v", i, got[i], want[i])
		}
	}
}

func TestRestartsAreCountedFromPictureToPicture(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1")
	at := func(token string, restarts int) stream.StreamStatus {
		return stream.StreamStatus{Key: "s1", Slots: []stream.InstanceStatus{{Slot: "dist", Instance: "dist.1", Type: "dist", Token: token, Restarts: restarts}}}
	}
	m.streamChanged(stream.StreamStatus{}, at("a", 5)) // before this process looked
	m.streamChanged(at("a", 5), at("a", 7))
	m.streamChanged(at("a", 7), at("b", 1)) // elsewhere it begins anew
	if got := testutil.ToFloat64(m.restarts.WithLabelValues("s1", "dist")); got != 3 {
		t.Errorf("%v restarts; want 3", got)
	}
}

func TestGapsAreCountedBySlot(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1")
	gap := func(slot, seconds string) {
		m.event(store.Event{ID: "1-0", Event: "gap", Stream: "s1", Slot: slot, Told: stream.Because(stream.CodeGap, "seconds", seconds).Told()})
	}
	gap("dist", "2.5")
	gap("dist.3", "0.5")
	gap("dist", "a while") // what a hand wrote
	gap("no slot", "1")
	gap("dist", "-1")
	rec := httptest.NewRecorder()
	m.handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := rec.Body.String()
	for _, line := range []string{`stream_api_gap_seconds_count{slot="dist"} 2`, `stream_api_gap_seconds_sum{slot="dist"} 3`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the scrape lacks %s", line)
		}
	}
	if strings.Contains(text, `slot="no slot"`) {
		t.Error("what is no slot became a series")
	}
}
