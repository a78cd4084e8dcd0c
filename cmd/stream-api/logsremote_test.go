package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/web"
)

func TestTheTokenIsToldToNobodyWhomRedisNames(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	var seen bytes.Buffer
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.Write(&seen) // to a buffer
		got := r.Header.Get("Authorization")
		var at int64
		_, _ = fmt.Sscanf(got, web.ProofScheme+" %d", &at) // else it is compared with a proof of long ago
		if got != web.Proof(token, "ber", r.URL.RequestURI(), time.Unix(at, 0)) {
			t.Errorf("Authorization: %s; want the proof for ber", got)
		}
		_, _ = w.Write([]byte(`{"at":"2026-01-02T03:04:05Z","mark":"\u001b[31m","text":"pull https://u:pw@x/ \u001b]0;owned\u0007"}` + "\n"))
	}))
	defer stranger.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var lines []supervisor.LogLine
	r := reader{key: "s1", slot: "work", tail: 5, tokenFile: file, print: func(l supervisor.LogLine) error { lines = append(lines, l); return nil }}
	instance := store.InstanceRecord{}
	instance.Host = "ber"
	if err := r.readRemote(context.Background(), stranger.URL, instance); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(seen.String(), token) || seen.Len() == 0 {
		t.Errorf("whom Redis names is told the token:\n%s", seen.String())
	}
	if len(lines) != 1 || strings.Contains(lines[0].Text, "pw") || strings.Contains(lines[0].Text, "\x1b") {
		t.Errorf("lines: %+v; want one, without the password and the escapes", lines)
	}
}

func TestPlainHTTPLeavesThisMachineOnlyIfTold(t *testing.T) {
	t.Parallel()
	r := reader{key: "s1", slot: "work"}
	for base, want := range map[string]bool{
		"http://127.0.0.1:1": true, "http://[::1]:1": true, "http://localhost:1": true, "http://127.8.8.8:1": true, "https://ber.example:1": true,
		"http://ber.example:1": false, "http://192.0.2.1:1": false, "http://localhost.example:1": false, "http://127.0.0.1.example:1": false, "http://[2001:db8::1]:1": false,
		"ftp://127.0.0.1": false, "http://": false, "": false,
	} {
		_, _, err := r.request(context.Background(), base, "ber", "")
		if (err == nil) != want {
			t.Errorf("%q: %v; want it asked: %v", base, err, want)
		}
		if strings.HasPrefix(base, "http://") && base != "http://" && err != nil && !strings.Contains(err.Error(), "--insecure") {
			t.Errorf("%q: %v; want it to say --insecure", base, err)
		}
	}
	r.insecure = true
	if _, _, err := r.request(context.Background(), "http://ber.example:1", "ber", ""); err != nil {
		t.Errorf("with --insecure: %v", err)
	}
	for listen, want := range map[string]string{"0.0.0.0:80": "localhost:80", ":80": "localhost:80", "[::]:80": "localhost:80", "127.0.0.3:80": "127.0.0.3:80", "ber:80": "ber:80"} {
		if got := nearby(listen); got != want {
			t.Errorf("what listens on %s is reached at %s; want %s", listen, got, want)
		}
	}
}

func TestTheDoctorNamesPagesWithoutTLS(t *testing.T) {
	t.Parallel()
	var hosts []store.HostRecord
	for name, at := range map[string]string{"tls": "https://tls:8080", "none": "", "here": "http://127.0.0.1:8080", "open": "http://open:8080"} {
		h := store.HostRecord{}
		h.Host, h.URL = name, at
		hosts = append(hosts, h)
	}
	found := examinePages(hosts)
	if len(found) != 1 || found[0].Level != store.Warning || !strings.HasSuffix(found[0].What, ": open") {
		t.Errorf("%+v; want one warning, of open alone", found)
	}
	if found := examinePages(nil); found != nil {
		t.Errorf("%+v of no hosts", found)
	}
}
