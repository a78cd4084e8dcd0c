package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stream-api/internal/confine"
)

func loadText(t *testing.T, text string) (*Config, error) {
	t.Helper()
	return LoadBytes(File{Name: "/etc/stream-api/config.yaml", Data: []byte(text)})
}

func loaded(t *testing.T, text string) *Config {
	t.Helper()
	c, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// secretsEverywhere has a secret file at each place that can have one.
const secretsEverywhere = `
network: {name: host, redis: "redis://:${file:/s/redis}@127.0.0.1:6379/0"}
state_dir: /s/state
web: {listen: "127.0.0.1:0", token_file: /s/token, tls: {cert: /s/cert, key: /s/key}}
chain: [a]
sources:
  - {name: poll, plugin: poll, vars: {url: "http://h:1/${file:/s/url}", user: "${file:/s/user}", password: "${file:/s/password}"}, stream: {url: "http://h:1"}}
  - {name: exec, plugin: exec, vars: {command: [/bin/true, "${file:/s/command}"]}}
  - {name: free, plugin: exec, confine: none, vars: {command: [/bin/true]}}
services:
  a:
    plugin: {name: exec, path: /bin/true, env_file: [/s/a.env], args: ["${file:/s/a.arg}"], env: {X: "${file:/s/a.var}"}, hooks: {pre_start: [/bin/true, "${file:/s/a.hook}"]}}
  b: {plugin: {name: exec, path: /bin/true, env_file: [/s/b.env, "/s/b/${stream:key}.env", "/s/${host:name}.env"]}}
  c: {confine: none, plugin: {name: exec, path: /bin/true}}
  d: {confine: {level: hide, require: true}, plugin: {name: exec, path: /bin/true}}
  e: {plugin: static}
`

func TestEveryFileOfOursIsHiddenButFromWhoseItIs(t *testing.T) {
	t.Parallel()
	c := loaded(t, secretsEverywhere)
	hidden := []string{
		"/etc/stream-api/config.yaml", "/s/a.arg", "/s/a.env", "/s/a.hook", "/s/a.var", "/s/b", "/s/b.env", "/s/command", "/s/host.env", "/s/key", "/s/password", "/s/redis",
		"/s/state", "/s/token", "/s/url", "/s/user",
	}
	for name, want := range map[string]confine.Policy{
		"a": {Level: confine.Hide, Hidden: hidden, Own: []string{"/s/a.arg", "/s/a.env", "/s/a.hook", "/s/a.var"}},
		"b": {Level: confine.Hide, Hidden: hidden, Own: []string{"/s/b.env", "/s/host.env"}},
		"c": {Level: confine.None},
		"d": {Level: confine.Hide, Require: true, Hidden: hidden},
	} {
		if got := c.Services[name].Exec.Confine; fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("%s: %+v, not %+v", name, got, want)
		}
	}
	for i, want := range []confine.Policy{1: {Level: confine.Hide, Hidden: hidden, Own: []string{"/s/command"}}, 2: {Level: confine.None}} {
		if got := c.Sources[i].Policy; i > 0 && fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Errorf("source %d: %+v, not %+v", i, got, want)
		}
	}
}

func TestConfineIsOneWordOrAMap(t *testing.T) {
	t.Parallel()
	const service = `services: {x: {plugin: {name: exec, path: /bin/true}}}`
	for text, want := range map[string]string{
		"": "hide", "confine: none": "none", "confine: hide": "hide", "confine: {level: hide, require: true}": "hide, or no start", "confine:": "hide",
	} {
		if c := loaded(t, text+"\n"+service); c.Confine.String() != want {
			t.Errorf("%q: %s", text, c.Confine)
		}
	}
	for text, want := range map[string]string{
		"confine: strict": "none", "confine: {level: off}": "none", "confine: {require: true}": "level is missing", "confine: [hide]": "a map of keys", "confine: {level: hide, read: [/x]}": "unknown key",
		"sources: [{name: p, plugin: poll, confine: none, chain: [x], vars: {url: \"http://h:1\"}}]": "plugin poll runs nothing",
	} {
		if _, err := loadText(t, text+"\n"+service); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := loadText(t, `services: {x: {confine: none, plugin: static}}`); err == nil || !strings.Contains(err.Error(), "plugin static runs nothing") {
		t.Error(err)
	}
}

func TestWhatAProgramWouldMissIsWarnedOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, file := range []string{"state/script", "env/s1.env", "other.env", "own.env", "free"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	setUID := filepath.Join(dir, "sudo")
	if err := os.WriteFile(setUID, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(setUID, 0o700|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	for plugin, want := range map[string]string{
		"path: DIR/state/script":                                       "DIR/state/script is hidden",
		"path: /bin/cat, args: [DIR/other.env]":                        "DIR/other.env is hidden",
		"path: /bin/sh, args: [-c, \"cat <DIR/other.env|wc\"]":         "DIR/other.env is hidden",
		"path: /bin/sh, env: {LOGS: DIR/state}":                        "DIR/state is hidden",
		"path: /bin/sh, hooks: {pre_start: [curl, -K, DIR/other.env]}": "DIR/other.env is hidden",
		"path: /bin/sh, hooks: {post_stop: [[DIR/state/script]]}":      "DIR/state/script is hidden",
		"path: /bin/sh, hooks: {post_stop: [[DIR/sudo]]}":              "set-uid",
		"path: DIR/sudo": "set-uid",
		"path: /bin/cat, args: [DIR/env/s1.env], env_file: [\"DIR/env/${stream:key}.env\"]":                "DIR/env/s1.env is hidden",
		"path: /bin/cat, args: [\"DIR/env/${stream:key}.env\"], env_file: [\"DIR/env/${stream:key}.env\"]": "",
		"path: DIR/free, args: [DIR/own.env], env_file: [DIR/own.env]":                                     "",
		"path: DIR/free, args: [/etc/hostname, \"http://h/DIR/other.env\"]":                                "",
	} {
		file := func(confine string) string {
			return strings.ReplaceAll(fmt.Sprintf("state_dir: DIR/state\nservices: {x: {%splugin: {name: exec, %s}}, y: {plugin: {name: exec, path: /bin/true, env_file: [DIR/other.env]}}}", confine, plugin), "DIR", dir)
		}
		want = strings.ReplaceAll(want, "DIR", dir)
		if got := confineWarnings(loaded(t, file(""))); (want == "") != (len(got) == 0) || want != "" && !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, not %q", plugin, got, want)
		}
		if got := confineWarnings(loaded(t, file("confine: none, "))); len(got) > 0 {
			t.Errorf("%s, none: %q", plugin, got)
		}
	}
	if got := confineWarnings(loaded(t, "state_dir: "+dir+"/state\nsources: [{name: e, plugin: exec, chain: [x], vars: {command: ["+dir+"/state/script]}}]")); len(got) != 1 {
		t.Errorf("of a source: %q", got)
	}
	c := loaded(t, "state_dir: "+dir+"/state\nservices: {x: {plugin: {name: exec, path: /bin/true}}}")
	if !slices.ContainsFunc(c.Warnings, func(p Problem) bool { return strings.Contains(p.String(), "no temporary files") }) == strings.HasPrefix(dir, "/tmp/") {
		t.Errorf("%v", c.Warnings)
	}
}

func confineWarnings(c *Config) []string {
	var out []string
	for _, w := range c.Warnings {
		if text := w.String(); strings.Contains(text, "confine") && !strings.Contains(text, "no temporary files") {
			out = append(out, text)
		}
	}
	return out
}
