package web

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// send posts JSON and returns the code and the answer's done or error.
func send(t testing.TB, base, path, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(base+"/api/v1/"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	var said struct{ Done, Error string }
	if err := json.NewDecoder(resp.Body).Decode(&said); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return resp.StatusCode, said.Done + said.Error
}

func TestActionsReachTheStore(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 3})
	c.appear("a/s1", nil, "transcode")
	c.run("a/s1", "transcode", "speedy", "")
	c.host("tardy", offer{kind: "transcode", capacity: 3})
	m := &mover{store: c.store}
	base, _, _ := serve(t, Options{Store: c.store, Mover: m}, "")
	polled := map[string]string{"s8": stream.Announcement{Chain: []string{"transcode"}}.Encode()}
	if _, err := c.store.Announce(c.ctx, store.Poll{Source: "lab", Poller: "crew", Upsert: polled, GoneAfter: time.Minute}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		path, body string
		code       int
		says       string
	}{
		{"hosts/cordon", `{"host":"speedy"}`, 200, "cordoned"},
		{"hosts/uncordon", `{"host":"speedy"}`, 200, "takes slots again"},
		{"hosts/drain", `{"host":"speedy"}`, 200, "hands over"},
		{"hosts/drain", `{"host":"nobody"}`, 404, "not found"},
		{"hosts/drain", `{"host":"<b>"}`, 400, "no host name"},
		{"hosts/drain", `{"hosts":"speedy"}`, 400, "unknown field"},
		{"hosts/drain", `{"host":"speedy"} {}`, 400, "goes on"},
		{"hosts/drain", `{"host":"` + strings.Repeat("x", maxBody) + `"}`, 413, "too large"},
		{"services/set", `{"type":"transcode","host":"speedy","capacity":7}`, 200, "capacity 7"},
		{"services/set", `{"type":"transcode","host":"speedy","capacity":-1}`, 400, "from 0"},
		{"services/set", `{"type":"transcode","host":"speedy"}`, 400, "or null for no limit"},
		{"services/set", `{"type":"transcode","host":"speedy","capacity":"7"}`, 400, "not what is asked for"},
		{"services/set", `{"type":"record","host":"speedy","capacity":1}`, 404, "not found"},
		{"streams/hold", `{"key":"a/s1"}`, 200, "is held"},
		{"streams/unhold", `{"key":"a/s1"}`, 200, "no more"},
		{"streams/hold", `{"key":"nobody"}`, 404, "not found"},
		{"streams/set", `{"key":"a/s1","vars":{"lang":"de"}}`, 200, "1 variables"},
		{"streams/set", `{"key":"a/s1","vars":{"chain":"x"}}`, 400, "field of the stream"},
		{"streams/restart", `{"key":"a/s1","slot":"transcode","stale":false}`, 200, "restarts"},
		{"streams/move", `{"key":"a/s1","slot":"transcode","to":"tardy","pin":false}`, 200, "moves to tardy"},
		{"streams/move", `{"key":"a/s1","slot":"transcode","to":"speedy","pin":true}`, 200, "is pinned to speedy"},
		{"streams/move", `{"key":"a/s1","slot":"transcode","to":"nobody","pin":true}`, 409, "offers no transcode"},
		{"streams/move", `{"key":"a/s1","slot":"record","to":"","pin":false}`, 404, "not found"},
		{"streams/move", `{"key":"a/s1","slot":"transcode","to":"","pin":true}`, 400, "to which host"},
		{"streams/unpin", `{"key":"a/s1","slot":"record"}`, 404, "not found"},
		{"streams/add", `{"key":"s9","chain":["dist"],"vars":{"a":"b"},"priority":5}`, 200, "announced"},
		{"streams/add", `{"key":"s8","chain":["dist"]}`, 409, "announced by source lab, so adding it would change nothing"},
		{"streams/add", `{"key":"s9","chain":["dist",{"slot":"high","type":"variant","vars":{"vb":"2M"}}]}`, 200, "announced"},
		{"streams/add", `{"key":"s9","chain":["dist",{"slot":"high","kind":"variant"}]}`, 400, "kind"},
		{"streams/add", `{"key":"s9","chain":["dist",{"job":"upload","of":"dist"}]}`, 200, "announced"},
		{"streams/add", `{"key":"s9","chain":["dist",{"job":"upload","of":"record"}]}`, 400, "neither a slot nor a job"},
		{"streams/add", `{"key":"s9","chain":["dist",{"job":"upload"}]}`, 400, "or a job of one"},
		{"streams/add", `{"key":"s9","chain":["dist",{"slot":"upload","of":"dist"}]}`, 400, "of belongs to a job"},
		{"streams/add", `{"key":"s9","chain":"dist"}`, 400, "chain is a list of slots"},
		{"streams/add", `{"key":"s9","chain":[{"slot":"high","vars":{"a":"${env:HOME}"}}]}`, 400, "has no value here"},
		{"streams/add", `{"key":"../etc","chain":["dist"]}`, 400, "no stream key"},
		{"streams/rm", `{"key":"s9"}`, 200, "taken back"},
		{"streams/rm", `{"key":"s9"}`, 404, "not added by hand"},
		{"streams/explode", `{}`, 404, "no such endpoint"},
	} {
		code, says := send(t, base, step.path, step.body)
		if code != step.code || !strings.Contains(says, step.says) {
			t.Errorf("%s %.60s: %d %q; want %d with %q", step.path, step.body, code, says, step.code, step.says)
		}
	}
	if !m.has("move a/s1 transcode tardy") || !m.has("restart a/s1 transcode false") {
		t.Errorf("the mover was asked %v", m.asked)
	}
	hosts, err := c.store.Hosts(c.ctx)
	if err != nil || hosts[0].Want != stream.Draining || hosts[0].Services[0].Limit != 7 {
		t.Errorf("hosts: %+v, %v; want speedy draining with a capacity of 7", hosts, err)
	}
	declared, err := c.store.Declared(c.ctx, "a/s1")
	if err != nil || declared.Overrides.Vars["lang"] != "de" || declared.Overrides.Pins["transcode"] != "speedy" || declared.Overrides.Held {
		t.Errorf("overrides: %+v, %v", declared.Overrides, err)
	}
	if code, says := send(t, base, "streams/move", `{"key":"a/s1","slot":"transcode","to":"tardy","pin":true}`); code != 200 || !strings.Contains(says, "tardy and moves there") {
		t.Errorf("pin elsewhere: %d %q", code, says)
	}
	if code, says := send(t, base, "streams/unpin", `{"key":"a/s1","slot":"transcode"}`); code != 200 {
		t.Errorf("unpin: %d %q", code, says)
	}
	if declared, err := c.store.Declared(c.ctx, "a/s1"); err != nil || len(declared.Overrides.Pins) != 0 {
		t.Errorf("pins after unpin: %+v, %v", declared.Overrides, err)
	}
}

func TestStatusIsTheContractAndHidesSecrets(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 3, url: "http://u:hush@speedy/"})
	c.appear("s1", map[string]string{"pull": "rtmp://user:hush@in/x?token=hush&a=1", "push": "srt://out:9000?mode=caller&passphrase=hush", "api_key": "hush", "stream_key": "hush", "note": "\x1b[31mred"}, "transcode")
	v := c.run("s1", "transcode", "speedy", "")
	c.publish(v, map[string]string{"url": "icecast://source:hush@out:8000/x"})
	c.report(v, "crashed", "cannot open http://a:hush@b/", map[string]string{"exit": "exit 1", "stderr": "http://a:hush@b/: 403\nline\x1b]0;owned\x07", "reason": "exit 1"})
	base, _, _ := serve(t, Options{Store: c.store}, "")
	for _, path := range []string{"/api/v1/status", "/api/v1/picture", "/api/v1/events", "/metrics"} {
		text := get(t, base+path)
		if strings.Contains(text, "hush") || strings.ContainsAny(text, "\x1b\x07") || strings.Contains(text, `\u001b`) {
			t.Errorf("%s shows a secret or an escape: %s", path, text)
		}
	}
	var got stream.Status
	if err := json.Unmarshal([]byte(get(t, base+"/api/v1/status")), &got); err != nil {
		t.Fatal(err)
	}
	slot := got.Streams[0].Slots[0]
	if slot.State != stream.Running || slot.Host != "speedy" || slot.Exit != "exit 1" || slot.Vars["url"] != "icecast://source:***@out:8000/x" {
		t.Errorf("slot: %+v", slot)
	}
	if h := got.Hosts[0]; h.LeaseMS <= 0 || h.LeaseMS > crewTTL.Milliseconds() || h.Services[0].Used != 1 {
		t.Errorf("host: %+v", h)
	}
}

func get(t testing.TB, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d %s %v", url, resp.StatusCode, text, err)
	}
	return string(text)
}

// sse is one message of an event stream.
type sse struct{ name, id, data string }

// watch reads the event stream until the test ends.
func watch(t *testing.T, base, after string, packed bool) <-chan sse {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	if packed {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan sse, 1000)
	done := make(chan struct{})
	var body io.Reader = resp.Body
	go func() {
		defer close(done)
		defer close(out)
		if packed {
			if body, err = gzip.NewReader(resp.Body); err != nil {
				return
			}
		}
		var m sse
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "event":
				m.name = value
			case "id":
				m.id = value
			case "data":
				m.data = value
			case "":
				select {
				case out <- m:
				case <-ctx.Done():
					return
				}
				m = sse{}
			}
		}
	}()
	t.Cleanup(func() { cancel(); _ = resp.Body.Close(); <-done })
	return out
}

// await reads messages until ok.
func await(t *testing.T, from <-chan sse, what string, ok func(sse) bool) sse {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m, open := <-from:
			if !open {
				t.Fatalf("the stream ended before %s", what)
			}
			if ok(m) {
				return m
			}
		case <-limit:
			t.Fatalf("no %s", what)
		}
	}
}

func TestEventStreamTellsChangesAndResumes(t *testing.T) {
	t.Parallel()
	for _, packed := range []bool{false, true} {
		t.Run(fmt.Sprintf("packed=%v", packed), func(t *testing.T) {
			t.Parallel()
			c := newCrew(t)
			c.host("speedy", offer{kind: "transcode", capacity: 3})
			base, _, _ := serve(t, Options{Store: c.store, Version: "7"}, "")
			first := watch(t, base, "", packed)
			await(t, first, "hello", func(m sse) bool { return m.name == "hello" && strings.Contains(m.data, `"version":"7"`) })
			await(t, first, "picture", func(m sse) bool { return m.name == "picture" && strings.Contains(m.data, `"host:speedy"`) })
			c.appear("s1", nil, "transcode")
			seen := await(t, first, "event appeared", func(m sse) bool { return m.name == "event" && strings.Contains(m.data, `"appeared"`) })
			await(t, first, "change with s1", func(m sse) bool { return m.name == "change" && strings.Contains(m.data, `"s1":{`) })
			c.run("s1", "transcode", "speedy", "")
			claimed := await(t, first, "event claimed", func(m sse) bool { return strings.Contains(m.data, `"claimed"`) })
			c.end("s1")
			await(t, first, "s1 to be gone", func(m sse) bool { return m.name == "change" && strings.Contains(m.data, `"s1":null`) })

			again := watch(t, base, seen.id, packed)
			var events []string
			await(t, again, "the rest of the feed", func(m sse) bool {
				if m.name == "event" {
					events = append(events, m.id)
				}
				return strings.Contains(m.data, `"gone"`)
			})
			for i, id := range events {
				if !laterID(id, seen.id) || i > 0 && !laterID(id, events[i-1]) {
					t.Errorf("resumed after %s with %v: not each once, in order, and later", seen.id, events)
				}
			}
			if len(events) == 0 || !strings.Contains(strings.Join(events, " "), claimed.id) {
				t.Errorf("resumed after %s with %v; want %s among them", seen.id, events, claimed.id)
			}
		})
	}
}

func TestEventStreamSkipsNothingAfterALongAbsence(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	const happened = 2*feedMax + 5
	pipe := c.redis.Client().Pipeline()
	var ids []*redis.StringCmd
	for range 1 + happened {
		ids = append(ids, pipe.XAdd(c.ctx, &redis.XAddArgs{Stream: "events", Values: []string{"event", "noted"}}))
	}
	if _, err := pipe.Exec(c.ctx); err != nil {
		t.Fatal(err)
	}
	base, _, _ := serve(t, Options{Store: c.store}, "")
	from := watch(t, base, ids[0].Val(), false)
	for i, id := range ids[1:] {
		if m := await(t, from, "event "+id.Val(), func(m sse) bool { return m.name == "event" }); m.id != id.Val() {
			t.Fatalf("after %d events comes %s; want %s", i, m.id, id.Val())
		}
	}
}

func TestWatcherThatLagsIsCutOff(t *testing.T) {
	t.Parallel()
	h := newHub()
	slow, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	for range behind + 1 {
		h.send(beatFrame(""))
	}
	n := 0
	for range slow.frames {
		n++
	}
	if n != behind || h.count() != 0 {
		t.Errorf("a watcher that reads nothing got %d frames and %d watch; want %d and none", n, h.count(), behind)
	}
	h.end()
	if _, err := h.join(); err == nil {
		t.Error("somebody joined after the end")
	}
}

func TestHooksWakeOnlyTheirSourceAndAnswerYes(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	var woken atomic.Int32
	base, _, _ := serve(t, Options{Store: c.store, Wakers: map[string]func(){"ingest": func() { woken.Add(1) }}}, "")
	c.poll("elsewhere", store.SourceInfo{Type: "icecast"})
	hints := c.store.Hints(c.ctx)
	call := func(method, name string) {
		t.Helper()
		req, err := http.NewRequest(method, base+"/hooks/"+name, strings.NewReader(strings.Repeat("x", 4000)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }() // it was read
		if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 200 || string(text) != "0" {
			t.Fatalf("%s %s: %d %q %v; want 200 and 0", method, name, resp.StatusCode, text, err)
		}
	}
	call(http.MethodPost, "ingest")
	call(http.MethodGet, "ingest")
	if n := woken.Load(); n != 2 {
		t.Fatalf("two hooks woke %d times", n)
	}
	for range 50 {
		call(http.MethodPut, "ingest")
	}
	if n := woken.Load(); n > 20 {
		t.Errorf("52 hooks at once woke %d times; want them limited", n)
	}
	realtest.Await(t, 5*time.Second, "a hook for a source elsewhere gave no hint", func() bool {
		call(http.MethodPost, "elsewhere") // the subscription may not stand yet
		for {
			select {
			case hint := <-hints:
				if hint.What == "poll" && hint.Of == "elsewhere" {
					return true
				}
			default:
				return false
			}
		}
	})
}

func TestAFloodOfHooksCostsOtherSourcesNothing(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.poll("loud", store.SourceInfo{Type: "icecast"})
	c.poll("quiet", store.SourceInfo{Type: "icecast"})
	h := handlerFor(t, Options{Store: c.store})
	hints := c.store.Hints(c.ctx)
	told := map[string]int{}
	listen := func() {
		for {
			select {
			case hint := <-hints:
				if hint.What == "poll" {
					told[hint.Of]++
				}
			default:
				return
			}
		}
	}
	realtest.Await(t, patience, "the subscription stands", func() bool {
		ask(h, asking{method: "POST", path: "/hooks/quiet"})
		listen()
		return told["quiet"] > 0
	})
	for i := range 300 {
		for _, name := range []string{"loud", "junk", fmt.Sprintf("junk-%d", i)} {
			if w := ask(h, asking{method: "POST", path: "/hooks/" + name}); w.Code != 200 || w.Body.String() != "0" {
				t.Fatalf("a hook is answered %d %q", w.Code, w.Body)
			}
		}
	}
	told["quiet"] = 0
	realtest.Await(t, patience, "a hook of a quiet source comes through", func() bool {
		ask(h, asking{method: "POST", path: "/hooks/quiet"})
		listen()
		return told["quiet"] > 0
	})
	for name, n := range told {
		if strings.HasPrefix(name, "junk") {
			t.Errorf("Redis was told %d times of %s, which is no source", n, name)
		}
	}
	if told["loud"] > 250 {
		t.Errorf("300 hooks of one source were passed on %d times; want them limited", told["loud"])
	}
}

func TestWhoFindsNoRoomIsToldToComeBack(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	base, s, _ := serve(t, Options{Store: c.store, Logs: func(ctx context.Context, _ LogQuery, _ func(LogLine) error) error {
		<-ctx.Done()
		return nil
	}}, "")
	for range maxWatchers {
		if _, err := s.hub.join(); err != nil {
			t.Fatal(err)
		}
	}
	for range maxLogReaders {
		s.readers <- struct{}{}
	}
	for _, path := range []string{"/api/v1/events", "/api/v1/logs/s1/dist"} {
		req, err := http.NewRequest(http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/event-stream")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // its head says it all
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %s, Retry-After %q; want 503 with a time", path, resp.Status, resp.Header.Get("Retry-After"))
		}
	}
}

func TestLogsAreReadHereOrPointedTo(t *testing.T) {
	t.Parallel()
	c := newCrew(t)
	c.host("here", offer{kind: "dist", capacity: -1})
	c.host("there", offer{kind: "record", capacity: -1})
	c.appear("a/s1", nil, "dist", "record")
	c.run("a/s1", "dist", "here", "")
	c.run("a/s1", "record", "there", "")
	logs := func(_ context.Context, q LogQuery, line func(LogLine) error) error {
		if q.Key != "a/s1" || q.Slot != "dist" || q.Token != "" && q.Token != "1-x" {
			return fs.ErrNotExist
		}
		for i := range q.Tail {
			if err := line(LogLine{At: time.Unix(int64(i), 0).UTC(), Mark: "out", Text: "\x1b[2Jhttp://u:hush@x/ <script>"}); err != nil {
				return err
			}
		}
		return nil
	}
	base, _, _ := serve(t, Options{Store: c.store, Host: "here", Logs: logs}, "")
	text := get(t, base+"/api/v1/logs/a/s1/dist?tail=3")
	if strings.Count(text, "\n") != 3 || strings.Contains(text, "hush") || strings.Contains(text, "\x1b") || strings.Contains(text, `\u001b`) {
		t.Errorf("log: %s", text)
	}
	for path, want := range map[string]int{"a/s1/record": 421, "a/s1/none": 404, "nobody/dist": 404, "dist": 400, "a/s1/di st": 400, "a/s1/dist?tail=-1": 400} {
		resp, err := http.Get(base + "/api/v1/logs/" + strings.ReplaceAll(path, " ", "%20"))
		if err != nil {
			t.Fatal(err)
		}
		var said elsewhereAnswer
		err = json.NewDecoder(resp.Body).Decode(&said)
		_ = resp.Body.Close() // it was read
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %d %+v %v; want %d", path, resp.StatusCode, said, err, want)
		}
		if want == 421 && (said.Host != "there" || said.URL != "http://there:8080/api/v1/logs/a/s1/record") {
			t.Errorf("%s is said to be at %+v", path, said)
		}
	}
}

func TestReadyzFollowsTheStore(t *testing.T) {
	t.Parallel()
	server := realtest.Redis(t)
	s, err := store.New(server.Client(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := handlerFor(t, Options{Store: s})
	if w := ask(h, asking{path: "/readyz"}); w.Code != 200 {
		t.Errorf("readyz: %d %s", w.Code, w.Body)
	}
	server.Kill()
	if w := ask(h, asking{path: "/readyz"}); w.Code != 503 {
		t.Errorf("readyz without a store: %d %s", w.Code, w.Body)
	}
	if w := ask(h, asking{path: "/healthz"}); w.Code != 200 {
		t.Errorf("healthz without a store: %d", w.Code)
	}
	if w := ask(h, asking{path: "/metrics"}); w.Code != 200 || !strings.Contains(w.Body.String(), "stream_api_store_up 0") {
		t.Errorf("metrics without a store: %d %.200s", w.Code, w.Body)
	}
}
