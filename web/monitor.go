package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// monitor is asynqmon behind the gate. Its page has inline scripts and styles
// and asks for fonts elsewhere: the policy names those scripts by their
// digests and lets nothing be fetched from outside.
func (s *Server) monitor() http.Handler {
	policy := "default-src 'none'; script-src 'self'" + scriptDigests(s.o.Monitor) +
		"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.o.MonitorReadOnly && r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuse(w, http.StatusForbidden, "asynqmon is read-only here; see web in the configuration")
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		if strings.HasSuffix(r.URL.Path, ".css") {
			// It would guess text/plain, which no browser takes for a style.
			w = typed{w, "text/css; charset=utf-8"}
		}
		s.o.Monitor.ServeHTTP(w, r)
	})
}

// scriptDigests are the sources of the page's inline scripts for its policy.
func scriptDigests(page http.Handler) string {
	answer := &recorder{head: http.Header{}}
	page.ServeHTTP(answer, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: MonitorRoot + "/"}, Header: http.Header{}, Body: http.NoBody})
	var out strings.Builder
	for _, m := range inlineScript.FindAllSubmatch(bytes.ReplaceAll(answer.body.Bytes(), []byte("\r\n"), []byte("\n")), -1) {
		sum := sha256.Sum256(m[1])
		out.WriteString(" 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'")
	}
	return out.String()
}

// typed answers with a content type of its own.
type typed struct {
	http.ResponseWriter
	kind string
}

func (t typed) WriteHeader(code int) {
	t.Header().Set("Content-Type", t.kind)
	t.ResponseWriter.WriteHeader(code)
}

func (t typed) Write(b []byte) (int, error) {
	t.Header().Set("Content-Type", t.kind)
	return t.ResponseWriter.Write(b)
}

// recorder keeps an answer.
type recorder struct {
	head http.Header
	body bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.head }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }
