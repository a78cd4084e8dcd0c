package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
)

const testToken = "0123456789abcdef0123"

func handlerFor(t *testing.T, o Options) http.Handler {
	t.Helper()
	if o.Store == nil {
		s, err := store.New(realtest.Redis(t).Client(), store.Options{Actor: "test"})
		if err != nil {
			t.Fatal(err)
		}
		o.Store = s
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8080"
	}
	o.Log = zerolog.Nop()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s.Handler()
}

type asking struct {
	method, path, host, body string
	head                     map[string]string
}

func ask(h http.Handler, a asking) *httptest.ResponseRecorder {
	if a.method == "" {
		a.method = http.MethodGet
	}
	r := httptest.NewRequest(a.method, "http://127.0.0.1:8080"+a.path, strings.NewReader(a.body))
	if a.host != "" {
		r.Host = a.host
	}
	for name, value := range a.head {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// from is where a browser that asked for path is sent, which must be said in a
// way that a proxy's path before ours survives.
func from(path string, w *httptest.ResponseRecorder) string {
	place := w.Header().Get("Location")
	base, err := url.Parse("/streams" + path)
	if err != nil {
		return err.Error()
	}
	at, err := base.Parse(place)
	if err != nil || at.Host != "" {
		return "elsewhere: " + place
	}
	rest, ok := strings.CutPrefix(at.String(), "/streams")
	if !ok {
		return "out of the proxy's path: " + place
	}
	return rest
}

func TestForeignHostNamesAreRefused(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{AllowedHosts: []string{"streams.example.org"}, Host: "speedy.lan"})
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "[::1]:8080": 200, "10.1.2.3": 200,
		"streams.example.org": 200, "STREAMS.example.org.:443": 200, "speedy.lan:8080": 200,
		"evil.example.com": 421, "localhost.evil.example.com": 421, "127.0.0.1.evil.example.com": 421, "": 200,
	} {
		if got := ask(h, asking{path: "/api/v1/status", host: host}).Code; got != want {
			t.Errorf("Host %q: %d; want %d", host, got, want)
		}
	}
	if got := ask(h, asking{path: "/healthz", host: "probe.example.com"}).Code; got != 200 {
		t.Errorf("healthz under another name: %d; want 200", got)
	}
}

func TestOtherSitesPagesCanNeitherReadNorWrite(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{Monitor: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "monitor") })})
	cordon := asking{method: http.MethodPost, path: "/api/v1/hosts/cordon", body: `{"host":"a"}`}
	for name, c := range map[string]struct {
		a    asking
		head map[string]string
		want int
	}{
		"no browser":                       {cordon, nil, 404}, // the host is unknown: it got that far
		"same origin":                      {cordon, map[string]string{"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}, 404},
		"another origin":                   {cordon, map[string]string{"Origin": "http://evil.example.com"}, 403},
		"another port":                     {cordon, map[string]string{"Origin": "http://127.0.0.1:9999"}, 403},
		"null origin":                      {cordon, map[string]string{"Origin": "null"}, 403},
		"cross site":                       {cordon, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"a form":                           {cordon, map[string]string{"Content-Type": "text/plain"}, 415},
		"read by a script of another site": {asking{path: "/api/v1/status"}, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
		"a link to the page":               {asking{path: "/"}, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200},
		"a link to the API":                {asking{path: "/api/v1/status"}, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403},
		"a link to a log":                  {asking{path: "/api/v1/logs/dist"}, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 400},
		"a log read by another site":       {asking{path: "/api/v1/logs/s1/dist"}, map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, 403},
		"asynqmon from another site":       {asking{method: http.MethodDelete, path: "/asynqmon/api/queues/x"}, map[string]string{"Origin": "http://evil.example.com"}, 403},
		"asynqmon from here":               {asking{method: http.MethodDelete, path: "/asynqmon/api/queues/x"}, map[string]string{"Origin": "http://127.0.0.1:8080"}, 200},
	} {
		c.a.head = map[string]string{"Content-Type": "application/json"}
		for name, value := range c.head {
			c.a.head[name] = value
		}
		if w := ask(h, c.a); w.Code != c.want {
			t.Errorf("%s: %d %s; want %d", name, w.Code, w.Body, c.want)
		}
	}
}

func TestTokenGuardsAllButProbesAndHooks(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken, Monitor: http.NotFoundHandler()})
	for _, path := range []string{"/", "/api/v1/status", "/api/v1/picture", "/api/v1/events", "/api/v1/logs/s1/dist", "/metrics", "/asynqmon/", "/assets/app.js", "/api/v1/nothing"} {
		if got := ask(h, asking{path: path}).Code; got != 401 {
			t.Errorf("%s without the token: %d; want 401", path, got)
		}
		if got := ask(h, asking{path: path, head: map[string]string{"Authorization": "Bearer " + testToken + "x"}}).Code; got != 401 {
			t.Errorf("%s with a wrong token: %d; want 401", path, got)
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/hooks/ingest": 200, "/login": 200, "/assets/app.css": 200} {
		if got := ask(h, asking{path: path}).Code; got != want {
			t.Errorf("%s without the token: %d; want %d", path, got, want)
		}
	}
	// A bearer may call this server by any name: no browser sends it unasked.
	w := ask(h, asking{path: "/api/v1/status", host: "any.example.org", head: map[string]string{"Authorization": "Bearer " + testToken}})
	if w.Code != 200 {
		t.Errorf("status with the token: %d %s", w.Code, w.Body)
	}
	h = handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken}) // which has seen no wrong token yet
	for given, want := range map[string]int{
		"bearer " + testToken: 200, "BEARER " + testToken: 200, "Bearer  " + testToken: 200,
		"Bearer": 401, "Bearer ": 401, testToken: 401, "Basic " + testToken: 401, "Bearer" + testToken: 401,
	} {
		if got := ask(h, asking{path: "/api/v1/status", head: map[string]string{"Authorization": given}}).Code; got != want {
			t.Errorf("Authorization: %q: %d; want %d", given, got, want)
		}
	}
	w = ask(h, asking{path: "/", head: map[string]string{"Accept": "text/html"}})
	if w.Code != 303 || w.Header().Get("Location") != "login" {
		t.Errorf("a browser without the cookie: %d to %q; want to be sent to login", w.Code, w.Header().Get("Location"))
	}
}

func TestLoginGivesACookieThatOnlyThisTokenMakesValid(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken})
	login := func(token string) *httptest.ResponseRecorder {
		return ask(h, asking{method: http.MethodPost, path: "/login", body: url.Values{"token": {token}}.Encode(),
			head: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1:8080"}})
	}
	w := login("wrong")
	if len(w.Result().Cookies()) != 0 {
		t.Errorf("a wrong token is given a cookie: %v", w.Result().Cookies())
	}
	if page := ask(h, asking{path: from("/login", w)}); page.Code != 200 || !strings.Contains(page.Body.String(), "That is not the token.") {
		t.Errorf("a wrong token leads to %q: %d %s; want the page to say so", w.Header().Get("Location"), page.Code, page.Body)
	}
	cookies := login(testToken).Result().Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || strings.Contains(cookies[0].Value, testToken) {
		t.Fatalf("cookies: %+v; want one, HttpOnly, SameSite=Lax, without the token", cookies)
	}
	with := func(h http.Handler, value string) int {
		return ask(h, asking{path: "/api/v1/status", head: map[string]string{"Cookie": cookieName + "=" + value}}).Code
	}
	if got := with(h, cookies[0].Value); got != 200 {
		t.Errorf("status with the cookie: %d", got)
	}
	end, proof, _ := strings.Cut(cookies[0].Value, ".")
	for name, value := range map[string]string{"a later end": end + "0." + proof, "no proof": end, "an ended one": "1." + proof, "nonsense": "x"} {
		if got := with(h, value); got != 401 {
			t.Errorf("status with %s: %d; want 401", name, got)
		}
	}
	other := handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken + "2"})
	if got := with(other, cookies[0].Value); got != 401 {
		t.Errorf("the cookie of another token: %d; want 401", got)
	}
	refused := 0
	for range 30 {
		if w := login("guess"); w.Code == 429 && strings.Contains(w.Body.String(), "Too many wrong tokens") && strings.Contains(w.Body.String(), "<form") {
			refused++
		}
	}
	if refused == 0 {
		t.Error("thirty guesses at once were all looked at")
	}
}

func TestLoginLeadsBackButNowhereElse(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{Listen: "0.0.0.0:8080", Token: testToken})
	w := ask(h, asking{path: "/api/v1/logs/s1/dist?tail=5", head: map[string]string{"Accept": "text/html"}})
	if got := from("/api/v1/logs/s1/dist", w); w.Code != 303 || got != "/login?next=%2Fapi%2Fv1%2Flogs%2Fs1%2Fdist%3Ftail%3D5" {
		t.Errorf("a browser without the cookie: %d to %q", w.Code, got)
	}
	if page := ask(h, asking{path: from("/api/v1/logs/s1/dist", w)}).Body.String(); !strings.Contains(page, `name="next" value="/api/v1/logs/s1/dist?tail=5"`) {
		t.Errorf("the form does not keep where to go: %s", page)
	}
	for next, want := range map[string]string{
		"/api/v1/logs/s1/dist?tail=5": "/api/v1/logs/s1/dist?tail=5", "": "/", "/": "/", "https://evil.example.com/": "/", "//evil.example.com": "/",
		`/\evil.example.com`: "/", `/./\evil.example.com`: "/", "/\t/evil.example.com": "/", "evil": "/", `/"><script>`: "",
	} {
		w := ask(h, asking{method: http.MethodPost, path: "/login", body: url.Values{"token": {testToken}, "next": {next}}.Encode(),
			head: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://127.0.0.1:8080"}})
		if got := from("/login", w); want != "" && got != want || w.Code != 303 {
			t.Errorf("login with next %q: %d to %q; want %q", next, w.Code, got, want)
		}
		if page := ask(h, asking{path: "/login?next=" + url.QueryEscape(next)}).Body.String(); strings.Contains(page, "evil") || strings.Contains(page, "<script") {
			t.Errorf("the form with next %q: %s", next, page)
		}
	}
}

func TestEveryAnswerForbidsForeignContent(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{})
	for _, path := range []string{"/", "/login", "/api/v1/status", "/assets/app.js", "/healthz", "/none"} {
		head := ask(h, asking{path: path}).Header()
		policy := head.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if head.Get("X-Content-Type-Options") != "nosniff" || head.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: headers %v", path, head)
		}
	}
	page := ask(h, asking{path: "/"}).Body.String()
	for _, inline := range []string{"<style", " style=", "onclick", "onload", "javascript:", "https://", "http://"} {
		if strings.Contains(page, inline) {
			t.Errorf("the page has %q", inline)
		}
	}
	if w := ask(h, asking{path: "/assets/..%2f..%2fweb.go"}); w.Code != 404 {
		t.Errorf("a path out of the page's files: %d", w.Code)
	}
}

func TestAWrongMethodIsToldTheRightOne(t *testing.T) {
	t.Parallel()
	h := handlerFor(t, Options{})
	for at, want := range map[string]string{
		"GET /api/v1/streams/add": "405 POST", "DELETE /api/v1/streams/add": "405 POST", "POST /api/v1/status": "405 GET, HEAD", "PUT /api/v1/logs/s1/dist": "405 GET, HEAD",
		"POST /metrics": "405 GET, HEAD", "POST /": "405 GET, HEAD", "GET /logout": "405 POST", "GET /api/v1/nothing": "404 ", "POST /api/v1/nothing": "404 ", "HEAD /api/v1/status": "200 ",
	} {
		method, path, _ := strings.Cut(at, " ")
		w := ask(h, asking{method: method, path: path})
		if got := fmt.Sprintf("%d %s", w.Code, w.Header().Get("Allow")); got != want {
			t.Errorf("%s: %s; want %s", at, got, want)
		}
	}
}

func TestAsynqmonCanBeReadOnly(t *testing.T) {
	t.Parallel()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html><script>window.ROOT=1</script><script src=x></script></html>")
	})
	h := handlerFor(t, Options{Monitor: page, MonitorReadOnly: true})
	if got := ask(h, asking{method: http.MethodPost, path: "/asynqmon/api/queues/x:pause"}).Code; got != 403 {
		t.Errorf("pause, read-only: %d; want 403", got)
	}
	w := ask(h, asking{path: "/asynqmon/"})
	// echo -n 'window.ROOT=1' | openssl dgst -sha256 -binary | base64
	if policy := w.Header().Get("Content-Security-Policy"); w.Code != 200 || !strings.Contains(policy, "script-src 'self' 'sha256-") || strings.Count(policy, "sha256-") != 1 {
		t.Errorf("asynqmon: %d, policy %q; want the digest of its one inline script", w.Code, policy)
	}
}
