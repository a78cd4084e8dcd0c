package sources

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/stream"
)

// A server's certificate that the machine does not know is believed by the
// source's own file alone, for the names it has.
func TestSourceBelievesTheCertificatesOfItsFile(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`[{"name":"s1"}]`))
	}))
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own := file("own.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	port := s.Listener.Addr().(*net.TCPAddr).Port
	named := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	for _, c := range []struct{ url, ca, says string }{
		{s.URL, own, ""},
		{s.URL, "", "give the file of its authority, or of the certificate itself, as the source's ca"},
		{named, own, "is for another name"},
		{s.URL, dir + "/none.pem", "ca: open"},
		{s.URL, dir, "is no regular file"},
		{s.URL, file("empty.pem", nil), "holds no certificate"},
		{strings.Replace(s.URL, "https:", "http:", 1), "", "it speaks https; write https://"},
	} {
		l := testLister(t, Config{Type: "srtrelay", URL: c.url, CA: c.ca, Timeout: 20 * time.Second})
		got, err := l.list(context.Background())
		if c.says == "" && (err != nil || keys(got) != "s1") {
			t.Errorf("%s with ca %q: %q, %v", c.url, c.ca, keys(got), err)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s (port %d) with ca %q: %v; want %q", c.url, port, c.ca, err, c.says)
		}
	}
	plain := hostileServer(t, func(http.ResponseWriter, *http.Request) {})
	_, err := testLister(t, Config{URL: strings.Replace(plain.URL, "http:", "https:", 1), Timeout: 20 * time.Second}).list(context.Background())
	if err == nil || !strings.Contains(err.Error(), "speaks no https: write http://") {
		t.Errorf("https to http: %v", err)
	}
}

func TestRedirectSaysWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, says string }{
		{"in:8000", "https://in", "in:8000 redirects to https: write https://in in the source's url"},
		{"IN", "https://in:8443", "IN redirects to https: write https://in:8443 in the source's url"},
		{"in:8000", "http://in:8001", "in:8000 redirects to http://in:8001: write that in the source's url"},
		{"in:8000", "https://other", "in:8000 redirects to another host, https://other"},
	} {
		if got := (errRedirect{c.from, c.to}).Error(); !strings.HasPrefix(got, c.says) {
			t.Errorf("%q, want %q", got, c.says)
		}
	}
}

// A byte order mark is no part of any answer.
func TestByteOrderMarkBeforeAnAnswerIsPassedOver(t *testing.T) {
	t.Parallel()
	for file, parse := range recorded {
		body := testdata(t, file)
		want, err := parse(body, "http://in")
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsed(append([]byte(stream.ByteOrderMark), body...), "http://in", parse)
		if err != nil || keys(got) != keys(want) {
			t.Errorf("%s: %q, %v; want %q", file, keys(got), err, keys(want))
		}
	}
	got, err := testLister(t, sh(`printf '\357\273\277s1\ns2\n'`)).list(context.Background())
	if err != nil || keys(got) != "s1 s2" {
		t.Errorf("a command's: %q, %v", keys(got), err)
	}
}
