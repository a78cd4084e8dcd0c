package config

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stream-api/runners/plan"
)

// missingHere are the warnings an example may bring on a machine that is not
// the one it is for. All others would be a mistake of the example.
var missingHere = regexp.MustCompile(`^.*(on this machine|is not set here|in PATH|takes back what an earlier|empty and not offered|no such file).*$`)

func TestTheShippedExamplesLoad(t *testing.T) {
	dir := "../deploy/examples/"
	used := map[string]bool{}
	for _, hosts := range []struct {
		files    []string
		services string
		sources  int
	}{
		{[]string{"single-box/config.yaml"}, "dist record transcode", 1},
		{[]string{"small-conference/common.yaml", "small-conference/dist.yaml"}, "dist", 1},
		{[]string{"small-conference/common.yaml", "small-conference/encoder.yaml"}, "fanout_audio fanout_h264 transcode", 0},
		{[]string{"several-sites/common.yaml", "several-sites/site-ber.yaml"}, "dist record transcode", 3},
		{[]string{"several-sites/common.yaml", "several-sites/site-ham.yaml"}, "dist fanout_h264", 3},
	} {
		t.Run(strings.Join(hosts.files, "+"), func(t *testing.T) {
			var paths []string
			for _, file := range hosts.files {
				used[file] = true
				paths = append(paths, dir+file)
			}
			c, err := Load(paths...)
			if err != nil {
				t.Fatal(err)
			}
			want(t, "services", strings.Join(c.Services.Types(), " "), hosts.services)
			want(t, "sources", len(c.Sources), hosts.sources)
			for kind, service := range c.Services {
				if service.Plugin.Exec != nil {
					checkOutputs(t, kind, *service.Plugin.Exec)
				}
			}
			for _, w := range c.Warnings {
				if !missingHere.MatchString(w.Message) {
					t.Errorf("a warning that is no matter of this machine:\n%s", w)
				}
			}
		})
	}
	all, err := filepath.Glob(dir + "*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if name := strings.TrimPrefix(path, dir); !used[name] {
			t.Errorf("%s is loaded by no test", name)
		}
	}
}

// checkOutputs fails a program whose children of two streams could not be told
// apart, or would write to one file.
func checkOutputs(t *testing.T, kind string, e plan.Exec) {
	t.Helper()
	ofTheSlot := regexp.MustCompile(`\$\{(stream:key|slot:token|[a-z0-9_]+:[a-z0-9_]*url)`)
	given := slices.Clone(e.Args)
	for _, v := range e.Env {
		given = append(given, v)
	}
	told := false
	for _, v := range given {
		text := v.String()
		told = told || ofTheSlot.MatchString(text)
		if file := strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "/dev/") && !strings.HasPrefix(text, "/etc/"); file && !strings.Contains(text, "${stream:key}") && !strings.Contains(text, "${slot:token}") {
			t.Errorf("services.%s: the children of all streams write %s", kind, text)
		}
	}
	if !told {
		t.Errorf("services.%s: a child is not told which stream it is for", kind)
	}
}

// knownKeys are all keys the decoder knows, old names included.
func knownKeys() []string {
	keys := append([]string{"global_vars", "source", "name", "index", "key", extensionPrefix}, globalVars...)
	collectKeys(&keys)
	for _, names := range []map[string]string{oldChainNames, oldServiceNames} {
		for old := range names {
			keys = append(keys, old)
		}
	}
	slices.Sort(keys)
	// jobs of a pool binds nothing until there are jobs, so the reference has no word of it.
	return slices.DeleteFunc(slices.Compact(keys), func(key string) bool { return key == "jobs" })
}

func TestTheReferenceNamesEveryKeyAndDefault(t *testing.T) {
	data, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, key := range knownKeys() {
		if !regexp.MustCompile("`[^`\n]*\\b" + regexp.QuoteMeta(key) + "\\b[^`\n]*`|`" + regexp.QuoteMeta(key) + "`").MatchString(text) {
			t.Errorf("docs/configuration.md does not name the key %s", key)
		}
	}
	for key, value := range documentedDefaults(t) {
		row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(key) + "` \\| [^|]+ \\| `" + regexp.QuoteMeta(value) + "` \\|")
		if !row.MatchString(text) {
			t.Errorf("docs/configuration.md has no row for %s with the default %s", key, value)
		}
	}
}

func TestThePiecesOfTheReferenceLoad(t *testing.T) {
	data, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	pieces := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(pieces) < 5 {
		t.Fatalf("only %d pieces found", len(pieces))
	}
	for _, piece := range pieces {
		if _, err := load(testHostname, File{Name: "docs/configuration.md", Data: []byte(piece[1])}); err != nil {
			t.Errorf("%v\nin\n%s", err, piece[1])
		}
	}
}
