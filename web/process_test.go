package web

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/store"
	"stream-api/stream"
)

// TestSlotsThatRanTwiceAreToldForAWhile: the alarm of the whole design.
func TestSlotsThatRanTwiceAreToldForAWhile(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	m := NewMetrics("1")
	m.Process(func() []Figure {
		return []Figure{{Name: "slots_lost_total", Value: 1}, {Name: "host_slots", Value: 2, Labels: []string{"running"}}}
	})
	s, err := New(Options{Store: c.store, Listen: "127.0.0.1:0", Metrics: m, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	now, err := c.store.Now(c.ctx)
	if err != nil {
		t.Fatal(err)
	}
	lost := func(ms int64, key string) {
		s.board.lost.event(store.Event{ID: strconv.FormatInt(ms, 10) + "-0", Event: "lost", Stream: key, Slot: "work", Host: "a", Told: stream.Because(stream.CodeHeldElsewhere, "host", "b").Told()})
	}
	lost(now-(time.Hour).Milliseconds(), "old")
	lost(now, "s1")
	s.board.lost.event(store.Event{ID: strconv.FormatInt(now, 10) + "-1", Event: "claimed", Stream: "s2"})
	text := ask(s.Handler(), asking{path: "/api/v1/picture"}).Body.String()
	if !strings.Contains(text, `"what":"work of s1 ran twice"`) || strings.Contains(text, `of old`) || strings.Contains(text, `of s2`) {
		t.Errorf("the picture says %s", text)
	}
	scrape := ask(s.Handler(), asking{path: "/metrics"}).Body.String()
	for _, line := range []string{"stream_api_slots_lost_total 1\n", "stream_api_host_slots{phase=\"running\"} 2\n"} {
		if !strings.Contains(scrape, line) {
			t.Errorf("the scrape lacks %s", line)
		}
	}
}

// TestWaitingGoesOnWhenAReservationIsTakenBack: since is of a slot's state, and
// what a crew waits for is not.
func TestWaitingGoesOnWhenAReservationIsTakenBack(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.appear("s1", nil, "work")
	m := NewMetrics("1")
	s, err := New(Options{Store: c.store, Listen: "127.0.0.1:0", Metrics: m, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	waits := func(ago time.Duration) float64 {
		t.Helper()
		now, err := c.store.Now(c.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.store.Client().HSet(c.ctx, "stream:s1:work.1", "since", now-ago.Milliseconds()).Err(); err != nil {
			t.Fatal(err)
		}
		s.board.mu.Lock()
		s.board.pic.read = time.Time{}
		s.board.mu.Unlock()
		text := ask(s.Handler(), asking{path: "/metrics"}).Body.String()
		found := regexp.MustCompile(`stream_api_slot_wait_seconds\{type="work"\} (\S+)`).FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("no slot_wait_seconds in %s", text)
		}
		seconds, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		return seconds
	}
	if got := waits(44 * time.Second); got < 44 {
		t.Errorf("waits %v s; want 44", got)
	}
	if got := waits(0); got < 44 {
		t.Errorf("after its reservation was taken back it waits %v s; want 44 or more", got)
	}
	m.event(store.Event{ID: "1-0", Event: "claimed", Stream: "s1", Slot: "work"})
	if got := waits(0); got > 40 {
		t.Errorf("after it was started and ended it waits %v s; want a new count", got)
	}
}

// TestRestartsBeforeTheFirstScrapeCount: of what was placed in this process's life.
func TestRestartsBeforeTheFirstScrapeCount(t *testing.T) {
	t.Parallel()
	m := NewMetrics("1")
	slot := func(placed time.Time) stream.StreamStatus {
		return stream.StreamStatus{Key: "s" + placed.String(), Slots: []stream.InstanceStatus{{Slot: "work", Instance: "work.1", Type: "work", Restarts: 7, Token: strconv.FormatInt(placed.UnixMicro(), 10) + "-x"}}}
	}
	m.streamChanged(stream.StreamStatus{}, slot(time.Now().Add(-time.Hour)))
	if text := scrapeOf(t, m); strings.Contains(text, "slot_restarts_total{") {
		t.Errorf("restarts of before this process count: %s", text)
	}
	m.streamChanged(stream.StreamStatus{}, slot(time.Now().Add(time.Second)))
	if text := scrapeOf(t, m); !strings.Contains(text, `type="work"} 7`) {
		t.Error("restarts between the start of the process and its first picture are lost")
	}
}

func scrapeOf(t *testing.T, m *Metrics) string {
	t.Helper()
	return ask(m.handler(), asking{path: "/metrics"}).Body.String()
}
