package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// several loads texts as files that are laid over each other.
func several(texts ...string) (*Config, error) {
	var files []File
	for i, text := range texts {
		files = append(files, File{Name: string(rune('a'+i)) + ".yaml", Data: []byte(text)})
	}
	return load(testHostname, files...)
}

func namesOf(c *Config) string {
	var names []string
	for _, s := range c.Sources {
		names = append(names, s.Name)
	}
	return strings.Join(names, " ")
}

func TestSourcesByNameMergeOverFiles(t *testing.T) {
	t.Parallel()
	common := `
network: {vars: {site: ber}}
chain: [dist]
sources:
  lab: {plugin: static, vars: {streams: [s1]}, rank: 3}
  ice: {name: "icecast-${host:site}", plugin: poll, vars: {url: "http://${host:site}.example:8000"}}
  old: {plugin: static, vars: {streams: [s2]}}
services: {}
`
	c, err := several(common, "sources: {lab: {rank: 7}, old: , new: {plugin: static, vars: {streams: [s3]}}}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := namesOf(c); got != "lab icecast-ber new" {
		t.Errorf("sources are %s", got)
	}
	if s := c.Sources[0]; s.Rank.String() != "7" || len(s.Vars.Streams) != 1 || !slices.Equal(s.Chain.Slots, []string{"dist"}) {
		t.Errorf("lab is %+v", s)
	}
	if c, err = several(common, "network: {vars: {site: ham}}\n"); err != nil || c.Sources[1].Name != "icecast-ham" {
		t.Errorf("with another site: %v, %v", c, err)
	}
	// An empty one takes all back.
	if c, err = several(common, "sources: []\n"); err != nil || len(c.Sources) != 0 {
		t.Errorf("taken back: %v, %v", c, err)
	}
}

func TestSourcesThatDoNotGoTogetherAreRefused(t *testing.T) {
	t.Parallel()
	list := "sources: [{name: lab, plugin: static, vars: {streams: [s1]}, chain: [a]}]\n"
	byName := "sources: {lab: {plugin: static, vars: {streams: [s1]}, chain: [a]}}\n"
	for _, tt := range []struct {
		texts []string
		want  string
	}{
		{[]string{list, byName}, "b.yaml:1:10: sources: this is a map, and a list in an earlier file: write both as maps by name"},
		{[]string{byName, list}, "b.yaml:1:10: sources: this is a list, and a map in an earlier file"},
		{[]string{"sources: {name: x, plugin: static}\n"}, "sources.name: a source is expected, as sources is a list of them or a map from names to them, but this is a single value"},
		{[]string{"sources: {a b: {plugin: static, vars: {streams: [s1]}, chain: [a]}}\n"}, `a.yaml:1:11: sources.a b.name: "a b" is no name of a source`},
		{[]string{"sources: {a: {plugin: static, vars: {streams: [s1]}, chain: [a]}, b: {name: a, plugin: static, vars: {streams: [s1]}, chain: [a]}}\n"}, `a second source called "a"; the first is in line 1`},
		{[]string{"sources: [{name: \"x-${host:site}\", plugin: static, vars: {streams: [s1]}, chain: [a]}]\n"}, "${host:site}"},
		{[]string{"sources: [{name: \"${stream:key}\", plugin: static, vars: {streams: [s1]}, chain: [a]}]\n"}, "${stream:key}"},
	} {
		if _, err := several(tt.texts...); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v; want %q", tt.texts, err, tt.want)
		}
	}
}

func TestADirectoryStandsForItsFilesInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(want string) {
		t.Helper()
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	refused("there is no *.yaml in the directory " + dir)
	write("20-host.yaml", "network: {name: ham}\n")
	write("10-common.yaml", "network: {name: ber}\nstate_dir: /tmp/x\nservices: {}\n")
	write(".hidden.yaml", "nonsense\n")
	write("20-host.yaml~", "nonsense\n")
	c, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.Network.Name != "ham" || c.StateDir != "/tmp/x" || len(c.Files) != 2 || !slices.Equal(c.Paths, []string{dir}) {
		t.Errorf("read %q of %q: %+v", c.Files, c.Paths, c.Network)
	}
	last := filepath.Join(t.TempDir(), "last.yaml")
	if err := os.WriteFile(last, []byte("network: {name: fra}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = Load(dir, last); err != nil || c.Network.Name != "fra" || len(c.Files) != 3 {
		t.Errorf("with a file behind it: %v, %v", c, err)
	}
	write("30-more.yml", "network: {name: kiel}\n")
	refused("30-more.yml would not be read: of a directory only *.yaml are; call it 30-more.yaml")
}
