package sources

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile are the servers a poller may meet.
var hostile = map[string]struct {
	serve http.HandlerFunc
	says  string // part of the error
}{
	"endless": {func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte(`{"icestats":{"source":[`), 4096)
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}, "more than 1 MiB"},
	"announces 2 GB": {func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(2<<30))
		chunk := make([]byte, 1<<16)
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}, "more than 1 MiB"},
	"gzip bomb": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb())
	}, "more than 1 MiB"},
	"slow loris": {func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write([]byte(" ")); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}, "no complete answer within"},
	"never answers": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "no complete answer within"},
	"redirect to another host": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://169.254.169.254/latest/meta-data")
		w.WriteHeader(http.StatusFound)
	}, "redirects to another host, http://169.254.169.254"},
	"redirect loop": {func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	}, "more than 3 redirects"},
	"deep JSON": {func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"icestats":{"x":`+strings.Repeat("[", 500_000))
	}, "nests deeper"},
	"invalid UTF-8": {func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("\xff\xfe\x80"), 1000))
	}, "unreadable answer"},
	"cut off": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5000")
		_, _ = io.WriteString(w, `{"icestats":{"source":[`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, "cut off after 23 bytes"},
	"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "hung up without an answer"},
	"huge header": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Huge", strings.Repeat("x", 1<<20))
	}, "header"},
	"not found":    {http.NotFound, "404 Not Found: is the source's type right"},
	"unauthorised": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "401 Unauthorized: give user and password"},
	"empty 200":    {func(http.ResponseWriter, *http.Request) {}, "cut off"},
	"error page":   {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>oops</html>") }, "unreadable answer"},
}

// bomb is 64 MB of spaces in a few hundred kB.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // the level exists
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		_, _ = z.Write(chunk) // a Buffer takes everything
	}
	_ = z.Close()
	return b.Bytes()
})

func hostileServer(t *testing.T, serve http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(serve)
	s.Config.ErrorLog = nil
	s.Start()
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Close)
	return s
}

func testLister(t *testing.T, c Config) lister {
	t.Helper()
	c.Name, c.Chain = "test", []string{"dist"}
	c, err := timed(c).complete()
	if err != nil {
		t.Fatal(err)
	}
	l := c.lister()
	t.Cleanup(l.close)
	return l
}

func TestHostileServersCostLittleAndSayWhatIsWrong(t *testing.T) {
	const timeout = 300 * time.Millisecond
	bomb()
	for name, c := range hostile {
		t.Run(name, func(t *testing.T) {
			s := hostileServer(t, c.serve)
			l := testLister(t, Config{URL: s.URL, Timeout: timeout, MaxBody: 1 << 20})
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			got, err := l.list(context.Background())
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatalf("a good answer: %q", mounts(got))
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q does not say %q", err, c.says)
			}
			if took > timeout+20*time.Second {
				t.Errorf("took %v", took)
			}
			// Client and server together, and ReadAll grows by doubling.
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 24<<20 {
				t.Errorf("allocated %d MiB for an answer bounded at 1 MiB", grown>>20)
			}
		})
	}
}

func TestRefusedConnectionSaysWhatToDo(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = testLister(t, Config{URL: "http://" + address}).list(context.Background())
	if want := "nobody listens at " + address; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v does not say %q", err, want)
	}
}

func TestGzippedAnswersAreRead(t *testing.T) {
	t.Parallel()
	s := hostileServer(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("gzip is not asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `[{"name":"s1"}]`)
		_ = z.Close()
	})
	got, err := testLister(t, Config{Type: "srtrelay", URL: s.URL}).list(context.Background())
	if err != nil || len(got.mounts) != 1 {
		t.Errorf("%q, %v", mounts(got), err)
	}
}

func TestCredentialsAreNeverShown(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"http://admin:hunter2@127.0.0.1:1", "http://admin:hunter2@[::1", "gopher://admin:hunter2@h", "http://admin:hunter2@h%zz/"} {
		c := Config{Name: "x", URL: address, Chain: []string{"dist"}}
		c, err := timed(c).complete()
		if err == nil {
			_, err = c.lister().list(context.Background())
			if strings.Contains(fmt.Sprint(c.SourceVars, c.URL, c.Pull), "hunter2") {
				t.Errorf("%s: the password is published: %v", address, c.SourceVars)
			}
			if c.Password != "hunter2" {
				t.Errorf("%s: the password is lost", address)
			}
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestIcecastReadsWhatItIsAllowedTo(t *testing.T) {
	t.Parallel()
	status, stats, public := testdata(t, "icecast-2.4.4-status.json"), testdata(t, "icecast-2.4.4-stats.xml"), testdata(t, "icecast-2.5-publicstats.json")
	for name, c := range map[string]struct {
		pages    map[string][]byte
		password string
		streams  int
		warns    bool
		fails    bool
	}{
		"anonymous":          {pages: map[string][]byte{"/status-json.xsl": status, "/admin/stats": stats}, streams: 4},
		"password":           {pages: map[string][]byte{"/admin/stats": stats}, password: "right", streams: 4},
		"wrong password":     {pages: map[string][]byte{"/status-json.xsl": status, "/admin/stats": stats}, password: "wrong", streams: 4, warns: true},
		"2.5 without sheets": {pages: map[string][]byte{"/admin/publicstats.json": public}, streams: 2},
		"kh, anonymous":      {fails: true},
		"kh, wrong password": {pages: map[string][]byte{"/admin/stats": stats}, password: "wrong", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := hostileServer(t, func(w http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				body, ok := c.pages[r.URL.Path]
				switch {
				case r.URL.Path == "/admin/stats" && password != "right":
					w.WriteHeader(http.StatusUnauthorized)
				case r.URL.Path != "/admin/stats" && password != "":
					t.Errorf("the password is sent to %s, which needs none", r.URL.Path)
				case !ok:
					http.NotFound(w, r)
				default:
					_, _ = w.Write(body)
				}
			})
			config := Config{URL: s.URL}
			if c.password != "" {
				config.User, config.Password = "admin", c.password
			}
			l := testLister(t, config)
			for range 2 { // the second time it knows the way
				got, err := l.list(context.Background())
				if (err != nil) != c.fails || len(got.mounts) != c.streams || (got.warning != "") != c.warns {
					t.Errorf("%q, warning %q, %v", mounts(got), got.warning, err)
				}
				if err != nil && !strings.Contains(err.Error(), "user and password") {
					t.Errorf("error %q does not say what to do", err)
				}
			}
		})
	}
}

func TestPagesAreWalkedToTheEnd(t *testing.T) {
	t.Parallel()
	mtx := hostileServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v3/paths/list" || r.URL.Query().Get("itemsPerPage") != "1000" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(testdata(t, "mediamtx-paths-"+r.URL.Query().Get("page")+".json"))
	})
	got, err := testLister(t, Config{Type: "mediamtx", URL: mtx.URL}).list(context.Background())
	if want := "s1 cam/1 old"; err != nil || keys(got) != want {
		t.Errorf("mediamtx: %s, %v; want %s", keys(got), err, want)
	}

	const live = 2500
	sent := 0
	server := hostileServer(t, func(w http.ResponseWriter, r *http.Request) {
		var start, count int
		if _, err := fmt.Sscan(r.URL.Query().Get("start")+" "+r.URL.Query().Get("count"), &start, &count); err != nil || r.URL.Path != "/api/v1/streams/" {
			http.NotFound(w, r)
			return
		}
		sent++
		_, _ = w.Write(srsPage(start, min(start+count, live)))
	})
	got, err = testLister(t, Config{Type: "srs", URL: server.URL}).list(context.Background())
	if err != nil || len(got.mounts) != live || sent != 3 {
		t.Errorf("srs: %d streams in %d pages, %v; want %d in 3", len(got.mounts), sent, err, live)
	}

	// A server that ignores start must not be walked for ever.
	stuck := hostileServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(srsPage(0, 1000)) })
	got, err = testLister(t, Config{Type: "srs", URL: stuck.URL}).list(context.Background())
	if err != nil || len(got.mounts) != 1000 {
		t.Errorf("srs that ignores start: %d streams, %v", len(got.mounts), err)
	}

	endless := hostileServer(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"pageCount":1000000000,"items":[{"name":"s1","ready":true}]}`)
	})
	if got, err = testLister(t, Config{Type: "mediamtx", URL: endless.URL}).list(context.Background()); err == nil {
		t.Errorf("a list without an end is taken for good: %d streams", len(got.mounts))
	}
}

func srsPage(from, to int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"code":0,"streams":[`)
	for i := from; i < to; i++ {
		if i > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"vid-%d","name":"s%d","app":"live","url":"/live/s%d","recv_bytes":%d,"publish":{"active":true,"cid":"c%d"}}`, i, i, i, i, i)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

func keys(l listing) string {
	var names []string
	for _, m := range l.mounts {
		names = append(names, m.Key)
	}
	return strings.Join(names, " ")
}
