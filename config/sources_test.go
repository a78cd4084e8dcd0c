package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stream-api/stream"
)

func TestByteOrderMarkIsNoPartOfASecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(stream.ByteOrderMark+"secret\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := (&Config{}).Resolve(mustTemplate("${file:" + file + "}"))
	if err != nil || got != "secret" {
		t.Errorf("%q, %v", got, err)
	}
}

// A stall is told before the server cuts the silent publisher.
func TestStallAfterFollowsFromTheType(t *testing.T) {
	for vars, want := range map[string]time.Duration{
		`url: "http://i"`:                                          15 * time.Second,
		`type: mediamtx, url: "http://i"`:                          5 * time.Second,
		`type: srs, url: "http://i"`:                               5 * time.Second,
		`type: nginx-rtmp, url: "http://i/stat"`:                   15 * time.Second,
		`type: mediamtx, url: "http://i", stall_after: 15s`:        15 * time.Second,
		`stall_after: 20s, type: srs, url: "http://i"`:             20 * time.Second,
		`type: mediamtx, url: "https://i", ca: /etc/stream/ca.pem`: 5 * time.Second,
	} {
		c, err := load(testHostname, File{Name: "x", Data: []byte("sources: [{plugin: poll, chain: [x], vars: {" + vars + "}}]")})
		if err != nil || c.Sources[0].Vars.StallAfter != want {
			t.Errorf("%s: %v, %v; want %v", vars, c, err, want)
		}
	}
	for vars, want := range map[string]string{
		`url: "http://i", ca: /ca.pem`: "certificates belong to https",
		`url: "https://i", ca: ca.pem`: "sources[0].vars.ca",
	} {
		if _, err := load(testHostname, File{Name: "x", Data: []byte("sources: [{plugin: poll, chain: [x], vars: {" + vars + "}}]")}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", vars, err, want)
		}
	}
}

// Of a pipe a shell tells the last command's exit code only.
func TestPipeThatHidesAFailureIsWarnedOf(t *testing.T) {
	for command, warned := range map[string]bool{
		`[sh, -c, "curl -sf http://i | jq -r .[]"]`:                    true,
		`[/bin/bash, -c, "curl -sf http://i | jq -r .[]"]`:             true,
		`[bash, -c, "set -o pipefail; curl -sf http://i | jq -r .[]"]`: false,
		`[bash, -o, pipefail, -c, "curl -sf http://i || exit 1"]`:      false,
		`[sh, -c, "curl -sf http://i || exit 1"]`:                      false,
		`[cat, "a|b"]`: false,
	} {
		c, err := load(testHostname, File{Name: "x", Data: []byte("sources: [{plugin: exec, chain: [x], vars: {command: " + command + "}}]")})
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, w := range c.Warnings {
			got = got || strings.Contains(w.Message, "pipefail")
		}
		if got != warned {
			t.Errorf("%s: warned %v, want %v (%v)", command, got, warned, c.Warnings)
		}
	}
}
