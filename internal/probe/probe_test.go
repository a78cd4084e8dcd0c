package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answering serves each connection with a function.
func answering(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

func says(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

func TestOnlyAnAnswerOf2xxIsOne(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"HTTP/1.1 200 OK\r\n\r\n":                                            "",
		"HTTP/1.0 204\r\n\r\n":                                               "",
		"ICY 200 OK\r\nicy-name: x\r\n\r\n":                                  "",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n":               "",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404\r\n\r\n":    "404 from",
		"HTTP/1.1 502 Bad Gateway\r\n\r\n":                                   "502 from",
		"HTTP/1.1 302 Found\r\n\r\n":                                         "302 from",
		"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n":           "another host",
		"HTTP/1.1 302 Found\r\nLocation: //10.0.0.1/\r\n\r\n":                "another host",
		"HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\n\r\n":         "another host",
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n":        "another host",
		"HTTP/1.1 302 Found\r\nLocation: /again\r\n\r\n":                     "more than 5 redirects",
		"HTTP/1.1 200 OK\r\n":                                                "answer ends",
		"HTTP/1.1 2x0 OK\r\n\r\n":                                            "no HTTP",
		"HTTP/1.1 2000 OK\r\n\r\n":                                           "no HTTP",
		"SSH-2.0-OpenSSH\r\n":                                                "no HTTP",
		"":                                                                   "answer ends",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100_000) + "\r\n\r\n": "more than 64 KiB",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 10_000) + "\r\n\r\n":  "",
		strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 20):                "nothing but hints",
	} {
		address := answering(t, func(c net.Conn) {
			// What is not read of the request makes the end a reset.
			if request, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				t.Errorf("%.60q: read the request: %v", text, err)
			} else {
				_ = request.Body.Close() // it has none
			}
			says(text)(c)
		})
		err := HTTP(t.Context(), "http://u:secret@"+address+"/x?token=hidden")
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.60q: %v, wanted %q", text, err, want)
		case err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hidden")):
			t.Errorf("%.60q: a secret is told: %v", text, err)
		}
	}
}

func TestARequestIsOneThatServersTake(t *testing.T) {
	t.Parallel()
	var saw atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/room 1/live.m3u8?a=b", http.StatusFound)
			return
		}
		saw.Store(fmt.Sprint(r.Method, " ", r.Host, " ", r.RequestURI, " ", user, " ", password))
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	if err := HTTP(t.Context(), "http://u:p%40@"+host+"/moved"); err != nil {
		t.Fatal(err)
	}
	if want := "GET " + host + " /room%201/live.m3u8?a=b u p@"; saw.Load() != want {
		t.Errorf("%q, not %q", saw.Load(), want)
	}
}

// One that hangs, one that drips and one that never ends are left in time, and nothing of them is kept.
func TestAHostileAnswerIsBounded(t *testing.T) {
	t.Parallel()
	var written atomic.Int64
	gone := make(chan struct{}, 8)
	for name, serve := range map[string]func(net.Conn){
		"hangs": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"drips": func(c net.Conn) {
			for _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nX: "); err == nil; _, err = io.WriteString(c, "x") {
				time.Sleep(5 * time.Millisecond) // the server's own pace
			}
		},
		"a head of 2 GB": func(c net.Conn) {
			n, _ := io.Copy(c, io.LimitReader(endless{}, 2<<30))
			written.Add(n)
		},
	} {
		address := answering(t, func(c net.Conn) { serve(c); gone <- struct{}{} })
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := HTTP(ctx, "http://"+address+"/"); err == nil {
			t.Errorf("%s: taken for an answer", name)
		}
		cancel()
		<-gone // it was let go
	}
	if n := written.Load(); n > 32<<20 {
		t.Errorf("%d bytes were taken", n)
	}
	address := answering(t, func(c net.Conn) {
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n"); err == nil {
			_, _ = io.Copy(c, endless{})
		}
		gone <- struct{}{}
	})
	if err := HTTP(t.Context(), "http://"+address+"/mount"); err != nil {
		t.Errorf("a mount that never ends: %v", err)
	}
	<-gone
}

// endless is a header line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestAPortThatListensAnswers(t *testing.T) {
	t.Parallel()
	address := answering(t, func(net.Conn) {})
	if err := TCP(t.Context(), address); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	for probe, err := range map[string]error{"tcp": TCP(t.Context(), l.Addr().String()), "http": HTTP(t.Context(), "http://"+l.Addr().String())} {
		if err == nil || !strings.HasSuffix(err.Error(), ": connection refused") {
			t.Errorf("%s: %v", probe, err)
		}
	}
}

func TestWhatCannotBeAskedIsSaid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://a/b": "", "http://[::1]:8080/": "", "http://a.example:8000": "",
		"https://a/": "curl", "ftp://a/": "http://", "a/b": "http://", "http:///b": "http://", "http://a:0/": "port",
		"http://u:secret@a\n/": "no URL", "http://a:99999/": "port", "": "http://", "http://a b/": "no URL",
	} {
		err := CheckURL(text)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%q: %v, wanted %q", text, err, want)
		}
	}
	for text, good := range map[string]bool{"a:1": true, "[::1]:80": true, "a": false, ":1": false, "a:0": false, "a:http": false, "a\n:1": false, "": false} {
		if err := CheckAddress(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzHead(f *testing.F) {
	for _, text := range []string{"HTTP/1.1 200 OK\r\n\r\n", "ICY 200\n\n", "HTTP/1.1 302\nLocation:\n\n", "\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := bufio.NewReaderSize(io.LimitReader(strings.NewReader(text), HeadLimit), 4<<10)
		if status, _, err := head(in); err == nil && (status < 0 || status > 999) {
			t.Errorf("%q: status %d", text, status)
		}
	})
}
