package config

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestNeedsThatTheChainsHereCannotSatisfyAreWarnings(t *testing.T) {
	c := parse(t, `
sources:
  - name: a
    plugin: static
    vars: {streams: [s1]}
    chain: [dist, transcode]
    rules: [{match: x, chain: [fanout]}]
services:
  dist: {plugin: static, stream_vars: {url: "http://d"}}
  transcode: {plugin: {name: exec, path: /bin/sh, args: ["${dist:ulr}"]}}
  fanout: {plugin: {name: exec, path: /bin/sh, env: {A: "${transcode:url}", B: "${dits:url}"}}}
  loop_a: {plugin: static, stream_vars: {url: "${loop_b:url:-}${loop_c:url}"}}
  loop_c: {plugin: static, stream_vars: {url: "${loop_a:url}"}}
`)
	want(t, "warnings", strings.Join(warningsOf(c), "\n"), strings.Join([]string{
		`services.transcode.plugin.args[0]: waits for dist:ulr, but the static service dist here publishes no "ulr"; did you mean "url"?`,
		`services.fanout.plugin.env.A: waits for transcode:url, but the chain [fanout] has fanout without transcode: there it would wait for ever`,
		`services.fanout.plugin.env.B: waits for dits:url, but the chain [fanout] has fanout without dits: there it would wait for ever`,
		`services.fanout.plugin.env.B: waits for dits:url, but no chain here has a slot "dits"; did you mean "dist"?`,
		`services.loop_a: waits in a circle: loop_a → loop_c → loop_a; none of them could ever start`,
		`services.loop_a.stream_vars.url: waits for loop_c:url, but no chain here has a slot "loop_c"`,
		`services.loop_c.stream_vars.url: waits for loop_a:url, but no chain here has a slot "loop_a"`,
	}, "\n"))
}

func TestWithoutSourcesHereNoChainIsKnownToBeWrong(t *testing.T) {
	c := parse(t, `services: {x: {plugin: static, stream_vars: {url: "${elsewhere:url}"}}}`)
	if got := warningsOf(c); got != nil {
		t.Errorf("warned: %v", got)
	}
}

func TestWhatThisMachineLacksIsAWarning(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	crlf := filepath.Join(dir, "crlf")
	if err := os.WriteFile(crlf, []byte("#!/bin/sh\r\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STREAM_API_TEST_SET", "x")
	for _, test := range []struct{ plugin, message string }{
		{`path: /nowhere/x`, "does not exist; on this machine it would fail"},
		{`path: ` + crlf, "CRLF line ends"},
		{`path: /bin/sh, hooks: {pre_start: ` + crlf + `}`, "CRLF line ends"},
		{`path: no-such-program-here`, "in PATH"},
		{`path: ` + plain, "is not executable"},
		{`path: ` + dir, "is a directory"},
		{`path: /bin/sh, env_file: [/nowhere/x]`, "cannot be read"},
		{`path: /bin/sh, env_file: [` + dir + `]`, "is no regular file"},
		{`path: /bin/sh, env: {A: "${env:STREAM_API_TEST_UNSET}"}`, "is not set here"},
		{`path: /bin/sh, env: {A: "${file:/nowhere/x}"}`, "does not exist"},
		{`path: /bin/sh, env: {A: "${file:` + dir + `}"}`, "is no regular file"},
		{`path: /bin/sh, hooks: {post_stop: [/nowhere/x]}`, "does not exist"},
		{`path: /bin/sh, hooks: {pre_start: [[sh], [/nowhere/x]]}`, "does not exist"},
		{`path: /bin/sh, env: {A: "${env:STREAM_API_TEST_UNSET:-x}", B: "${env:STREAM_API_TEST_SET}", C: "${file:` + plain + `}"}`, ""},
	} {
		c := parse(t, "services: {x: {plugin: {name: exec, "+test.plugin+"}}}")
		switch {
		case test.message == "" && len(c.Warnings) > 0:
			t.Errorf("%s: warned %v", test.plugin, c.Warnings)
		case test.message == "":
		case len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, test.message):
			t.Errorf("%s: got %v, want one with %q", test.plugin, c.Warnings, test.message)
		case c.Warnings[0].Line != 1 || c.Warnings[0].Column < 2 || c.Warnings[0].Text == "":
			t.Errorf("%s: no place: %+v", test.plugin, c.Warnings[0])
		}
	}
}

func TestPlacesThatAreNeverUsedAreAWarning(t *testing.T) {
	c := parse(t, `services: {x: {plugin: static, capacity: 1, places: [{a: 1}, {a: 2}]}}`)
	want(t, "warnings", warningsOf(c), []string{"services.x.capacity: only the first 1 of 2 places will be used"})
}

func TestADeviceInThePlacesOfTwoServicesIsAWarning(t *testing.T) {
	c := parse(t, `services: {x: {plugin: static, places: [{gpu: /dev/dri/a}, {gpu: /dev/dri/b, rate: 50}]}, y: {plugin: static, places: [{card: /dev/dri/b, rate: 50}, {card: /dev/dri/b}]}}`)
	want(t, "warnings", warningsOf(c), []string{"services.y.places[0]: /dev/dri/b is in the places of x, too: both would run on it at the same time, as neither counts the slots of the other: write network.pools, and uses for both"})
}

func TestAStateDirectoryThatIsNoneIsAWarning(t *testing.T) {
	c := parse(t, "state_dir: /dev/null\nservices: {}")
	if got := warningsOf(c); len(got) != 1 || !strings.Contains(got[0], "is no directory") {
		t.Errorf("warned %q", got)
	}
}

func TestRulesWithoutAChainForTheRestAreAWarning(t *testing.T) {
	c := parse(t, `sources: [{plugin: static, vars: {streams: []}, rules: [{match: a, chain: [dist]}]}]`)
	want(t, "chain", c.Sources[0].Chain.Slots, []string{})
	if got := warningsOf(c); len(got) != 1 || !strings.Contains(got[0], "get no slots") {
		t.Errorf("got %v", got)
	}
}

func TestPasswordsThatEveryoneMayReadAreWarnings(t *testing.T) {
	c := parse(t, `
sources:
  - plugin: poll
    vars: {url: "http://u:pw@i", pull: "rtmp://u:pw@i"}
    chain: [dist]
    rules: [{match: x, vars: {sink: "icecast://u:pw@s", lang: de}}]
    stream: {app: "http://u:pw@i", url: "http://i"}
  - {name: b, plugin: static, chain: [dist], vars: {streams: [{key: s1, at: "srt://h:1?passphrase=pw"}]}}
services: {dist: {plugin: static, url: "http://u:pw@s", stream_vars: {url: "http://u:pw@s"}}}
`)
	text := ": the password in this URL is stored in Redis, where everyone who can read it sees it"
	want(t, "warnings", strings.Join(warningsOf(c), "\n"), strings.Join([]string{
		"sources[0].vars.pull" + text,
		"sources[0].rules[0].vars.sink" + text,
		"sources[0].stream.app" + text,
		"sources[1].vars.streams[0].at" + text,
		"services.dist.url" + text,
		"services.dist.stream_vars.url" + text,
	}, "\n"))
}

func TestAFileThatOffersNothingIsAWarningUnlessItSaysSo(t *testing.T) {
	for text, warned := range map[string]bool{
		"": true, "# all gone\n": true, "network: {name: ber}": true, "services:": false, "services: {}": false,
		"sources: [{plugin: static, vars: {streams: [s1]}, chain: [x]}]": false,
	} {
		found := strings.Contains(strings.Join(warningsOf(parse(t, text)), "\n"), "no services and no sources")
		if found != warned {
			t.Errorf("%q: warned %v", text, found)
		}
	}
}

func TestSecretsInArgumentsAreWarnedOf(t *testing.T) {
	t.Setenv("STREAM_API_TEST_SET", "x")
	for _, test := range []struct {
		plugin string
		says   []string
	}{
		{`args: ["-u", "admin:${env:STREAM_API_TEST_SET}"]`, []string{"plugin.args[1]: ${env:STREAM_API_TEST_SET} becomes an argument"}},
		{`args: ["${env:STREAM_API_TEST_UNSET:-hackme}"]`, []string{"plugin.args[0]: ${env:STREAM_API_TEST_UNSET} becomes an argument"}},
		{`hooks: {pre_start: [sh, "${env:STREAM_API_TEST_SET}"]}`, []string{"plugin.hooks.pre_start[0][1]: ${env:STREAM_API_TEST_SET} becomes an argument"}},
		{`hooks: {post_stop: [[sh], [sh, "${env:STREAM_API_TEST_SET}", "${dist:url}/kill"]]}`, []string{"plugin.hooks.post_stop[1][1]: ${env:STREAM_API_TEST_SET} becomes an argument", "plugin.hooks.post_stop[1]: ${env:STREAM_API_TEST_SET} is given to the same command as a place that another slot names, ${dist:url}"}},
		{`args: ["${dist:url}/kill"]`, nil},
		{`args: ["--url=${dist:url}", "x${env:STREAM_API_TEST_SET}"]`, []string{"becomes an argument"}},
		{`env: {A: "${env:STREAM_API_TEST_SET}"}`, nil},
	} {
		c := parse(t, "services: {dist: {plugin: static, stream_vars: {url: \"http://d\"}}, x: {plugin: {name: exec, path: /bin/sh, "+test.plugin+"}}}")
		wantWarnings(t, test.plugin, c, test.says)
	}
	c := parse(t, "sources: [{plugin: exec, chain: [], vars: {command: [sh, \"${env:STREAM_API_TEST_SET}\"]}}]")
	wantWarnings(t, "a source", c, []string{"sources[0].vars.command[1]: ${env:STREAM_API_TEST_SET} becomes an argument"})
}

func TestFfmpegWithoutWhitelistsIsWarnedOf(t *testing.T) {
	const both = `-protocol_whitelist, "http,tcp", -format_whitelist, matroska, `
	for plugin, says := range map[string][]string{
		`path: /bin/sh, args: ["-c", "exec ffmpeg -i http://x/ -f null -"]`:                                     {"plugin.args: ffmpeg without -protocol_whitelist", "-format_whitelist"},
		`path: /bin/sh, args: ["-c", "exec /usr/bin/ffmpeg -protocol_whitelist http -i http://x/ -f null -"]`:   {"ffmpeg without -format_whitelist"},
		`path: /bin/sh, args: ["-c", "ffmpeg -protocol_whitelist http -format_whitelist ogg -i http://x/ out"]`: nil,
		`path: /bin/sh, args: ["/x/ffmpeg.sh", "-i"]`:                                                           nil,
		`path: /bin/sh, args: [` + both + `-i, "http://x/"]`:                                                    nil,
	} {
		c := parse(t, "services: {x: {plugin: {name: exec, "+plugin+"}}}")
		wantWarnings(t, plugin, c, says)
	}
	if _, err := exec.LookPath("ffmpeg"); err == nil {
		c := parse(t, `services: {x: {plugin: {name: exec, path: ffmpeg, args: [-i, "http://x/"]}}}`)
		wantWarnings(t, "as a program", c, []string{"ffmpeg without -protocol_whitelist"})
	}
}

// wantWarnings wants each of the texts in some warning, and none if there are none.
func wantWarnings(t *testing.T, what string, c *Config, says []string) {
	t.Helper()
	got := strings.Join(warningsOf(c), "\n")
	if len(says) == 0 && got != "" {
		t.Errorf("%s: warned: %s", what, got)
	}
	for _, text := range says {
		if !strings.Contains(got, text) {
			t.Errorf("%s: warned %q; want %q", what, got, text)
		}
	}
}
