package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnvFilesThatStreamsChooseAreApart(t *testing.T) {
	t.Parallel()
	const good = ""
	for files, want := range map[string]string{
		`"/e/env/${stream:key}.env", "/e/env/${stream:room}/x.env", "/e/env/all.env"`: good,
		`"/e/env/${host:name}/${place:index}.env", "/e/x-${host:site}.env"`:           good,
		`"/e/cards/${slot:copy}-${slot:lead}.env"`:                                    good,
		`"${stream:key}.env"`:             "before its first ${…} must stand a directory",
		`"/${stream:key}.env"`:            "before its first ${…} must stand a directory",
		`"env/${stream:key}.env"`:         "before its first ${…} must stand a directory",
		`"/e/../etc/${stream:key}.env"`:   "plainly, as /etc",
		`"/etc/${stream:key}.env"`:        "a directory of their own, such as /etc/stream-api-env",
		`"/s/state/${stream:key}"`:        "lies in state_dir",
		`"/s/state/env/${stream:key}"`:    "lies in state_dir",
		`"/s/${stream:key}"`:              "/s/state lies below /s, too",
		`"/e/${stream:key}"`:              "/e/other.env lies below /e, too",
		`"/f/${stream:key}"`:              "/f/many lies below /f, too",
		`"/etc/stream-api/${stream:key}"`: "/etc/stream-api/config.yaml lies below /etc/stream-api, too",
		`"/e/env/${dist:url}"`:            "only ${stream:…}, ${host:…}, ${place:…}, ${slot:…}",
		`"/e/env/${source:url}"`:          "only ${stream:…}",
		`"/e/env/${env:HOME}"`:            "secrets never are",
		`"/e/env/${file:/e/x}"`:           "secrets never are",
		`"/e/env/${host:nix}"`:            `there is no "nix" in network.vars`,
		`"/e/env/${place:card}"`:          "has no places",
		`relative`:                        "must begin with /",
		`"/e/env/$x"`:                     "write $$ for a dollar",
		`"/e/env/${stream:key}", "/e/b", "/e/env/${stream:key}"`: "second time; the first is in line 5",
	} {
		_, err := loadText(t, `network: {name: h, vars: {site: ber}}
state_dir: /s/state
services:
  x:
    plugin: {name: exec, path: /bin/true, env_file: [`+files+`]}
  y: {plugin: {name: exec, path: /bin/true, env_file: [/e/other.env, "/f/many/${stream:key}"]}}
`)
		if (err != nil) != (want != good) || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "services.x.plugin.env_file[")) {
			t.Errorf("%s: %v; want %q", files, err, want)
		}
	}
}

func TestOfEnvFilesThatStreamsChooseOnlyTheDirectoryIsLookedAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for place, want := range map[string]string{dir: "", dir + "/none": "no file can be read there", file: "is no directory"} {
		c := loaded(t, `services: {x: {plugin: {name: exec, path: /bin/true, env_file: ["`+place+`/${stream:key}.env"]}}}`)
		if got := warningsOf(c); (len(got) != 0) != (want != "") || want != "" && !strings.Contains(got[0], want) {
			t.Errorf("%s: %q, not %q", place, got, want)
		}
		var text strings.Builder
		if err := c.Describe(&text); err != nil || !strings.Contains(text.String(), "${stream:key}.env: which one is known at a start") {
			t.Errorf("%s, %v", text.String(), err)
		}
	}
}
