package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"stream-api/internal/realrun"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := realrun.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// composeFile is as much of compose.yaml as the test looks at.
type composeFile struct {
	Services map[string]struct {
		Command     []string          `yaml:"command"`
		Volumes     []string          `yaml:"volumes"`
		Environment map[string]string `yaml:"environment"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func TestComposeHostsHaveGoodConfigurations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose composeFile
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	hosts := 0
	for name, s := range compose.Services {
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if _, known := compose.Volumes[from]; known {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", from)); err != nil {
				t.Errorf("service %s mounts %s: %v", name, from, err)
			}
		}
		if len(s.Command) == 0 || s.Command[0] != "run" {
			continue
		}
		hosts++
		if s.Environment["STREAM_API_REDIS"] == "" {
			t.Errorf("service %s: commands typed there would not find the store", name)
		}
		args := []string{"check-config"}
		for _, arg := range s.Command[1:] {
			if file, ok := strings.CutPrefix(arg, "/etc/stream-api/"); ok {
				args = append(args, "../../deploy/compose/"+file)
			}
		}
		if _, stderr, code := realrun.Command(t, "", args...); code != 0 {
			t.Errorf("service %s: %v: exit %d: %s", name, args, code, stderr)
		}
	}
	if hosts != 3 {
		t.Errorf("compose.yaml runs %d hosts; want control and two workers", hosts)
	}
}

var link = regexp.MustCompile(`\]\(([^)#]+)`)

func TestLinksOfDocumentsLeadSomewhere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := filepath.Glob("../../docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(append(pages, decisions...), "../../README.md", "../../ARCHITECTURE.md", "../../CHANGELOG.md")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}
