package sources

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/stream"
)

// fast are the settings of polls in tests with real servers.
func fast(c Config) Config {
	c.Interval, c.GoneAfter = 200*time.Millisecond, time.Second
	return c
}

// awaitVar waits for a variable of an announced stream.
func (w *world) awaitVar(source, key, name, want string) {
	w.t.Helper()
	var got string
	realtest.Await(w.t, 20*time.Second, fmt.Sprintf("%s of %s is never %q", name, key, want), func() bool {
		set, err := w.store.Announced(w.t.Context(), source)
		if err != nil {
			w.t.Fatal(err)
		}
		a, err := stream.DecodeAnnouncement(set.Entries[key])
		got = a.Vars[name]
		return err == nil && got == want
	})
}

func TestRealIcecast(t *testing.T) {
	t.Parallel()
	w, ice := newWorld(t), realtest.Icecast(t)
	public := w.poll(fast(Config{Name: "public", URL: ice.URL, Match: regexp.MustCompile(`^(s|a/|b/|q|\$)`)}), "a")
	admin := w.poll(fast(Config{Name: "admin", URL: ice.URL, User: ice.AdminUser, Password: ice.AdminPassword, StallAfter: 6 * time.Second}), "a")
	w.await(0, "public")

	s1 := ice.Publish("/s1")
	// Titles that make status-json.xsl invalid for everybody.
	ice.Publish("/a/s1", "-ice_name", "-")
	ice.Publish("/b/s1", "-ice_name", ` "],"x`, "-ice_description", "5.", "-ice_genre", "-.5")
	ice.Publish("/$(id)", "-ice_name", `"listenurl":"http://x/evil"`)
	ice.Publish("/tmp-ignored")
	w.await(20*time.Second, "public", "a/s1", "b/s1", "s1")
	w.await(20*time.Second, "admin", "a/s1", "b/s1", "s1", "tmp-ignored")
	// The configured <hostname> is wrong.example; ours is believed.
	w.awaitVar("public", "a/s1", "url", ice.URL+"/a/s1")
	for key, name := range map[string]string{"a/s1": "-", "b/s1": `"],"x`, "s1": ""} {
		w.awaitVar("public", key, "name", name)
		w.awaitVar("admin", key, "name", name)
		w.awaitVar("public", key, "content_type", "video/webm")
	}
	realtest.Await(t, 20*time.Second, "the hostile mount is not counted", func() bool { return public.Stats().Refused == 1 })
	if s := public.Stats(); s.Ignored != 1 || !strings.Contains(s.Example, `"$(id)" is no stream key`) {
		t.Errorf("ignored %d, refused %d: %s", s.Ignored, s.Refused, s.Example)
	}

	appeared, _ := public.hints.got()
	s1.Stop()
	w.await(20*time.Second, "public", "a/s1", "b/s1")
	ice.Publish("/s1")
	w.await(20*time.Second, "public", "a/s1", "b/s1", "s1")
	realtest.Await(t, 20*time.Second, "the second publication of s1 gives no hint", func() bool {
		again, _ := public.hints.got()
		return len(again) > len(appeared)
	})

	// A frozen server, then a dead one: nothing is gone.
	ice.Freeze()
	realtest.Await(t, 20*time.Second, "a frozen server is not noticed", func() bool { return public.Stats().State == stream.SourceUnknown })
	ice.Thaw()
	realtest.Await(t, 20*time.Second, "the thawed server is not read", func() bool { return public.Stats().State == stream.SourceGood })
	ice.Kill()
	// A poll that was on its way when it died has another problem.
	realtest.Await(t, 20*time.Second, "a dead server is not said to be one", func() bool {
		return strings.Contains(public.Stats().Problem, "nobody listens at")
	})
	if got := w.announced("public"); len(got) < 3 {
		t.Errorf("announced while unknown: %q", got)
	}
	if s := admin.Stats(); s.Warning != "" {
		t.Errorf("warning %q", s.Warning)
	}
}

func TestRealIcecastWithAWrongPasswordIsReadAllTheSame(t *testing.T) {
	t.Parallel()
	w, ice := newWorld(t), realtest.Icecast(t)
	p := w.poll(fast(Config{URL: ice.URL, User: ice.AdminUser, Password: "wrong"}), "a")
	ice.Publish("/s1")
	w.await(20*time.Second, "ingest", "s1")
	if warning := p.Stats().Warning; !strings.Contains(warning, "user and password are refused") {
		t.Errorf("warning %q", warning)
	}
}

// A publisher that stopped sending without closing, as one that lost its
// power, is shown as stalled and stays announced.
func TestRealStall(t *testing.T) {
	t.Parallel()
	w, nginx := newWorld(t), realtest.NginxRTMP(t, "")
	c := fast(Config{Type: "nginx-rtmp", URL: nginx.StatURL, Pull: nginx.RTMPURL})
	c.StallAfter = 2 * time.Second
	p := w.poll(c, "a")
	publisher := nginx.Publish("live/s1")
	w.await(20*time.Second, "ingest", "live/s1")
	start := time.Now()
	realtest.Await(t, 20*time.Second, "polls stopped", func() bool {
		if p.Stats().Stalled > 0 {
			t.Fatal("a stream whose bytes grow is called stalled")
		}
		return time.Since(start) > 3*time.Second
	})
	publisher.Freeze()
	realtest.Await(t, 20*time.Second, "the stall is not seen", func() bool { return p.Stats().Stalled == 1 })
	w.await(0, "ingest", "live/s1")
}

func TestRealNginxRTMP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var p *running
	ready := make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		<-ready
		p.Wake()
		rw.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(hook.Close)
	nginx := realtest.NginxRTMP(t, hook.URL+"/hooks/ingest")
	c := Config{Type: "nginx-rtmp", URL: nginx.StatURL, Pull: nginx.RTMPURL, Strip: "live/", GoneAfter: time.Second, Interval: 5 * time.Second}
	p = w.poll(c, "a")
	close(ready)
	realtest.Await(t, 20*time.Second, "no first poll", func() bool { return p.Stats().Good > 0 })

	s1 := nginx.Publish("live/s1")
	nginx.Publish("other/s1")
	nginx.Publish("live/<b>&x")
	// A player waiting at a dead name is listed, but nobody publishes there.
	realtest.Play(t, nginx.RTMPURL+"/live/dead")
	realtest.Await(t, 20*time.Second, "the waiting player is not listed", func() bool {
		body, err := newFetcher(time.Second, 1<<20, false, "").get(t.Context(), nginx.StatURL)
		return err == nil && strings.Contains(string(body), "<name>dead</name>")
	})
	w.await(20*time.Second, "ingest", "other/s1", "s1")
	w.awaitVar("ingest", "s1", "url", nginx.RTMPURL+"/live/s1")
	w.awaitVar("ingest", "s1", "width", "64")
	realtest.Await(t, 20*time.Second, "the hostile name is not counted", func() bool { return p.Stats().Refused == 1 })

	s1.Stop()
	w.await(20*time.Second, "ingest", "other/s1")
	realtest.Await(t, 20*time.Second, "no hint that s1 is gone", func() bool { _, gone := p.hints.got(); return gone == "s1" })
}

// With push a stream is announced when it is published, not a minute later at
// the next poll. make bench measures how soon it runs.
func TestRealPushLatency(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var p *running
	called := make(chan time.Time, 100)
	ready := make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		<-ready
		called <- time.Now()
		p.Wake()
		rw.WriteHeader(http.StatusOK)
	}))
	t.Cleanup(hook.Close)
	nginx := realtest.NginxRTMP(t, hook.URL+"/hooks/ingest")
	p = w.poll(Config{Type: "nginx-rtmp", URL: nginx.StatURL, Pull: nginx.RTMPURL, Strip: "live/", Interval: time.Minute}, "a")
	close(ready)
	realtest.Await(t, 20*time.Second, "no first poll", func() bool { return p.Stats().Good > 0 })
	var took []time.Duration
	for i := range 10 {
		key := fmt.Sprintf("s%d", i)
		nginx.Publish("live/" + key)
		var hooked time.Time
		select {
		case hooked = <-called:
		case <-time.After(20 * time.Second):
			t.Fatal("nginx never called the hook")
		}
		realtest.Await(t, 20*time.Second, key+" is not announced", func() bool { return slices.Contains(w.announced("ingest"), key) })
		took = append(took, time.Since(hooked))
	}
	slices.Sort(took)
	t.Logf("hook called → announced in Redis: p50 %v, max %v", took[len(took)/2], took[len(took)-1])
}
