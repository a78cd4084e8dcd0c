package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stream-api/stream"
)

func TestLookupKnowsTheHostAndItsSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STREAM_API_TEST_SET", "from env")
	c := parse(t, `network: {name: h, vars: {site: ber}}`)
	resolve := func(text string) (string, error) {
		parsed, err := stream.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		return c.Resolve(parsed)
	}
	got, err := resolve("${host:name} ${host:site} ${env:STREAM_API_TEST_SET} ${file:" + file + "} ${env:STREAM_API_TEST_UNSET:-d}")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "resolved", got, "h ber from env from file d")
	for _, text := range []string{"${host:x}", "${env:STREAM_API_TEST_UNSET}", "${file:/nowhere/x}", "${stream:key}"} {
		if _, err := resolve(text); !errors.Is(err, stream.ErrMissing) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"${file:/dev/zero}", "${file:/}"} {
		if _, err := resolve(text); err == nil || errors.Is(err, stream.ErrMissing) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTheWebTokenIsNeverEmpty(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("STREAM_API_TEST_SET", "t2")
	t.Setenv("STREAM_API_TEST_EMPTY", "")
	for _, test := range []struct{ web, token, problem string }{
		{`{}`, "", ""},
		{`{token_file: ` + write("good", "t1\n") + `}`, "t1", ""},
		{`{token: "${env:STREAM_API_TEST_SET}"}`, "t2", ""},
		{`{token_file: ` + write("empty", "\n") + `}`, "", "it is empty"},
		{`{token: "${env:STREAM_API_TEST_EMPTY}"}`, "", "it is empty"},
		{`{token: "${env:STREAM_API_TEST_UNSET}"}`, "", "no such value"},
		{`{token_file: ` + write("big", strings.Repeat("x", maxSecretBytes+1)) + `}`, "", "more than"},
		{`{token_file: /nowhere/x}`, "", "no such file"},
	} {
		token, err := parse(t, "web: "+test.web).WebToken()
		want(t, test.web, token, test.token)
		if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: %v, want %q", test.web, err, test.problem)
		}
	}
}

func TestBeyondLoopbackATokenIsNeeded(t *testing.T) {
	for listen, local := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:0": true, "[::1]:80": true, "127.9.9.9:1": true, "[::ffff:127.0.0.1]:1": true,
		":8080": false, "0.0.0.0:8080": false, "[::]:8080": false, "192.0.2.1:1": false, "status.lan:80": false,
	} {
		text := `web: {listen: "` + listen + `"`
		_, err := load(testHostname, File{Name: "x", Data: []byte(text + "}")})
		if (err == nil) != local {
			t.Errorf("%s without a token: %v", listen, err)
		}
		if _, err := load(testHostname, File{Name: "x", Data: []byte(text + ", token_file: /x}")}); err != nil {
			t.Errorf("%s with a token: %v", listen, err)
		}
	}
}

func TestLeaseRule(t *testing.T) {
	for lease, good := range map[string]bool{
		"{ttl: 10s, beat: 2s}": true, "{ttl: 5s, beat: 1s}": true, "{ttl: 15s, beat: 3s}": true,
		"{ttl: 10s, beat: 2666ms}": true, "{ttl: 10s, beat: 2667ms}": false,
		"{ttl: 2s, beat: 266ms}": true, "{ttl: 2s, beat: 267ms}": false,
		"{ttl: 8s}": true, "{ttl: 7s}": false, "{beat: 3s}": false, "{ttl: 9s}": true,
	} {
		_, err := load(testHostname, File{Name: "x", Data: []byte("lease: " + lease)})
		if (err == nil) != good {
			t.Errorf("%s: %v", lease, err)
		}
	}
}
