package sources

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/stream"
)

// page is the statistics page of one nginx worker that has the streams.
func page(pid int, names ...string) string {
	var streams strings.Builder
	for _, name := range names {
		fmt.Fprintf(&streams, "<stream><name>%s</name><bytes_in>%d</bytes_in><client><id>7</id><publishing/></client><publishing/></stream>", name, time.Now().UnixNano())
	}
	return fmt.Sprintf("<rtmp><pid>%d</pid><server><application><name>live</name><live>%s</live></application></server></rtmp>", pid, streams.String())
}

// lives polls a listing over and over, as a poller with a store would, without
// the time that passes: an absence counts to the end after goneAfter polls.
type lives struct {
	known     map[string]int // stream → polls since it was last listed
	goneAfter int
	ended     []string
}

func (v *lives) take(l listing) {
	live := map[string]bool{}
	for _, m := range l.mounts {
		live[m.Key], v.known[m.Key] = true, 0
	}
	for key := range v.known {
		if live[key] || l.partial && !slices.Contains(l.ended, key) {
			continue
		}
		if v.known[key]++; v.known[key] >= v.goneAfter {
			delete(v.known, key)
			v.ended = append(v.ended, key)
		}
	}
}

// A machine with 32 workers, each of which answers for itself alone, either at
// random or 16 times in a row, as nginx has it on a calm machine.
func TestStreamOfOneWorkerOfManyNeverEnds(t *testing.T) {
	t.Parallel()
	const workers, polls, goneAfter = 32, 50_000, 60
	for name, next := range map[string]func(poll int) int{
		"at random": func(int) int { return rand.N(workers) },
		"in turn":   func(poll int) int { return (poll/16 + 1) % workers },
	} {
		for _, restarted := range []bool{false, true} {
			v := &lives{known: map[string]int{}, goneAfter: goneAfter}
			if restarted { // the stream is known from an earlier life of the poller
				v.known["live/s1"] = 0
			}
			m := merger{forgets: true}
			warned := 0
			for poll := range polls {
				worker := next(poll)
				body := page(1000 + worker)
				if worker == 0 {
					body = page(1000, "s1")
				}
				l, pid, err := parseNginxRTMP([]byte(body), "rtmp://in")
				if err != nil {
					t.Fatal(err)
				}
				if l, err = m.part(pid, l); err != nil {
					t.Fatal(err)
				}
				v.take(l)
				if m.several() {
					warned++
				}
			}
			if len(v.ended) > 0 || v.known["live/s1"] != 0 {
				t.Errorf("%s, restarted %v: ended %d times in %d polls", name, restarted, len(v.ended), polls)
			}
			if warned < polls-16*workers {
				t.Errorf("%s: a warning in %d of %d polls only", name, warned, polls)
			}
			// It ends when its worker says so, and no other worker's answer
			// takes that back.
			ended := -1
			for poll := range 32 * 16 * 2 {
				worker := next(poll)
				l, pid, err := parseNginxRTMP([]byte(page(1000+worker)), "rtmp://in")
				if err != nil {
					t.Fatal(err)
				}
				if l, err = m.part(pid, l); err != nil {
					t.Fatal(err)
				}
				if v.take(l); len(v.ended) > 0 && ended < 0 {
					ended = poll
				}
			}
			if ended < 0 {
				t.Errorf("%s: the end of the stream was never seen", name)
			}
		}
	}
}

// A worker that answers no more has ended, so its streams do; a single restart
// is no reason for a warning.
func TestWorkerThatIsNoMoreIsForgotten(t *testing.T) {
	t.Parallel()
	m := merger{forgets: true}
	v := &lives{known: map[string]int{}, goneAfter: 60}
	take := func(by string, keys ...string) {
		t.Helper()
		var l listing
		for _, key := range keys {
			l.mounts = append(l.mounts, stream.Mount{Key: key})
		}
		l, err := m.part(by, l)
		if err != nil {
			t.Fatal(err)
		}
		v.take(l)
		if m.several() {
			t.Fatal("one worker, and a warning of several")
		}
	}
	for range 100 {
		take("1", "s1", "s2")
	}
	for poll := range 110 {
		take("2", "s2") // s2 is back after the restart, s1 is not
		if poll < 2*patience && v.known["s1"] != 0 {
			t.Fatalf("s1 is missed at poll %d already", poll)
		}
	}
	if !slices.Equal(v.ended, []string{"s1"}) || v.known["s2"] != 0 {
		t.Errorf("ended %q, known %v; want s1 to be ended, s2 live", v.ended, v.known)
	}
}

// The same through a poller and a real store, quickened: 60 polls until a
// stream is gone, 32 workers at random.
func TestManyWorkersEndNoStreamAndGiveOneLastingWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var live atomic.Bool
	live.Store(true)
	s := hostileServer(t, func(rw http.ResponseWriter, _ *http.Request) {
		worker := rand.N(32)
		body := page(1000 + worker)
		if worker == 0 && live.Load() {
			body = page(1000, "s1")
		}
		_, _ = io.WriteString(rw, body)
	})
	c := Config{Type: "nginx-rtmp", URL: s.URL + "/stat", Interval: 50 * time.Millisecond, GoneAfter: 3 * time.Second, StallAfter: time.Second}
	p := w.poll(c, "a")
	w.await(60*time.Second, "ingest", "live/s1")
	realtest.Await(t, 60*time.Second, "no warning", func() bool { return p.Stats().Warning != "" })
	from := p.Stats().Good
	realtest.Await(t, 120*time.Second, "no 300 polls", func() bool {
		if got := p.Stats(); got.Warning == "" || got.Stalled > 0 {
			t.Fatalf("warning %q, stalled %d", got.Warning, got.Stalled)
		}
		return p.Stats().Good > from+300
	})
	if _, gone := p.hints.got(); gone != "" {
		t.Errorf("ended while it was on air: %s", gone)
	}
	if lines := p.log.messages(); len(lines) != 2 {
		t.Errorf("lines %q; want one of the start, one of the warning", lines)
	}
	// A poller that starts anew knows as little of the absence.
	p.stop()
	again := w.poll(c, "b")
	realtest.Await(t, 120*time.Second, "no 150 polls", func() bool { return again.Stats().Good > 150 })
	if _, gone := again.hints.got(); gone != "" {
		t.Errorf("ended by a poller that just began: %s", gone)
	}
	live.Store(false)
	w.await(120*time.Second, "ingest")
}

// The workers of a real nginx: the stream stays while other workers answer,
// and its end is seen.
func TestRealNginxWithTwoWorkers(t *testing.T) {
	t.Parallel()
	w, nginx := newWorld(t), realtest.NginxRTMPWith(t, realtest.NginxOptions{Workers: 2})
	c := Config{Type: "nginx-rtmp", URL: nginx.StatURL, Pull: nginx.RTMPURL, Interval: 50 * time.Millisecond, GoneAfter: 300 * time.Millisecond}
	p := w.poll(c, "a")
	s1 := nginx.Publish("live/s1")
	w.await(60*time.Second, "ingest", "live/s1")
	realtest.Await(t, 120*time.Second, "the second worker is never seen", func() bool { return p.Stats().Warning != "" })
	from := p.Stats().Good
	realtest.Await(t, 120*time.Second, "no 150 polls", func() bool { return p.Stats().Good > from+150 })
	if _, gone := p.hints.got(); gone != "" {
		t.Errorf("ended while it was on air: %s", gone)
	}
	s1.Stop()
	w.await(60*time.Second, "ingest")
}

// An Icecast that refuses the password now and then, or from now on, does not
// end what its public list leaves out.
func TestRefusedPasswordEndsNoHiddenMount(t *testing.T) {
	t.Parallel()
	admin := testdata(t, "recorded/icecast-2.4.4/admin-stats-several.xml")
	public := testdata(t, "recorded/icecast-2.4.4/status-json-several.json")
	fewer := testdata(t, "recorded/icecast-2.4.4/status-json-1-with-relays.json")
	var mu sync.Mutex
	refused := false
	list := public
	s := hostileServer(t, func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/status-json.xsl":
			_, _ = rw.Write(list)
		case refused:
			rw.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = rw.Write(admin)
		}
	})
	c := Config{URL: s.URL, User: "admin", Password: "pw", Timeout: 20 * time.Second}
	for _, first := range []string{"admin", "public"} {
		from := testLister(t, c)
		v := &lives{known: map[string]int{"hidden.mp3": 0, "s1.mp3": 0, "sub/dir/x.mp3": 0}, goneAfter: 3}
		polls := func(n int, refuse bool, answer []byte) {
			mu.Lock()
			refused, list = refuse, answer
			mu.Unlock()
			for range n {
				l, err := from.list(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				v.take(l)
			}
		}
		if first == "admin" {
			polls(1, false, public)
		}
		polls(100, true, public)
		if len(v.ended) > 0 {
			t.Errorf("%s first: ended %q", first, v.ended)
		}
		polls(3, true, fewer) // what the public list had and has no more is gone
		slices.Sort(v.ended)
		if want := []string{"s3.ogg", "saal-ü.mp3", "sub/dir/x.mp3"}; !slices.Equal(v.ended, want) {
			t.Errorf("%s first: ended %q, want %q", first, v.ended, want)
		}
	}
}

func TestWarningThatComesAndGoesIsSaidOnceAndStays(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var w lasting
	said := told{}
	lines := 0
	for poll := range 3600 {
		text := ""
		if poll%32 == 0 {
			text = "mend it"
			if said.first(now, text) {
				lines++
			}
		}
		if w.note(now, text) != "mend it" {
			t.Fatalf("poll %d: the warning is gone", poll)
		}
		now = now.Add(time.Second)
	}
	if lines != 1 {
		t.Errorf("%d lines", lines)
	}
	if w.note(now.Add(2*warningKept), "") != "" {
		t.Error("a warning of what is mended stays for ever")
	}
	if !said.first(now.Add(2*warningKept), "mend it") {
		t.Error("what is back after long is not said")
	}
}

// Bytes that an answer says nothing of did not stand still.
func TestStallIsJudgedByAnswersThatTellBytesOnly(t *testing.T) {
	t.Parallel()
	w := stallWatch{after: 5 * time.Second}
	now, other := time.Now(), map[string]bool{"s1": true}
	see := func(bytes map[string]int64, earlier map[string]bool) int {
		now = now.Add(time.Second)
		return len(w.observe(now, bytes, earlier))
	}
	for n := range int64(10) {
		if see(map[string]int64{"s1": n}, nil) > 0 {
			t.Fatal("stalled while it grows")
		}
		for range 10 {
			if see(nil, other) > 0 {
				t.Fatal("stalled because others answered")
			}
		}
	}
	stalled := 0
	for range 5 {
		stalled = see(map[string]int64{"s1": 9}, nil)
	}
	if stalled != 1 || see(nil, other) != 1 {
		t.Error("a stall is not seen, or forgotten by another's answer")
	}
}
