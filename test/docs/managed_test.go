package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The NixOS module runs what the unit runs, under the same rules.
func TestTheNixOSModuleSaysWhatTheUnitSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/nixos/module.nix")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "serviceConfig = {")
	if !found {
		t.Fatal("it has no serviceConfig")
	}
	there := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +([A-Z]\w+) = "?([^";\n]+)"?;`).FindAllStringSubmatch(block, -1) {
		there[m[1]] = strings.NewReplacer("true", "yes", "false", "no").Replace(m[2])
	}
	for key, values := range readUnit(t, unitFile) {
		section, key, _ := strings.Cut(key, ".")
		if section != "Service" || strings.HasPrefix(key, "Exec") {
			continue
		}
		if want := strings.Join(values, " "); there[key] != want {
			t.Errorf("%s is %q; the unit says %q", key, there[key], want)
		}
	}
	if !strings.Contains(block, `ExecStopPost = "-`) || !strings.Contains(block, ">cgroup.subtree_control") {
		t.Error("it does not take the controllers back")
	}
	for key, values := range readUnit(t, unitFile) {
		if key, exec := strings.CutPrefix(key, "Service.Exec"); exec && key != "Stop" {
			for _, line := range values {
				if args, ours := strings.CutPrefix(line, "/usr/local/bin/stream-api "); ours && !strings.Contains(block, "/bin/stream-api "+args+`"`) {
					t.Errorf("Exec%s does not run stream-api %s", key, args)
				}
			}
		}
	}
}

// An option of the Ansible role that is described has a default, or is asked for.
func TestTheAnsibleRoleDescribesItsOptions(t *testing.T) {
	t.Parallel()
	read := func(path string, into any) {
		text, err := os.ReadFile("../../deploy/ansible/stream_api/" + path)
		if err == nil {
			err = yaml.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var specs struct {
		Specs map[string]struct {
			Options map[string]struct{ Required bool }
		} `yaml:"argument_specs"`
	}
	defaults := map[string]any{}
	read("meta/argument_specs.yml", &specs)
	read("defaults/main.yml", &defaults)
	var described []string
	for name, option := range specs.Specs["main"].Options {
		described = append(described, name)
		if _, has := defaults[name]; has == option.Required {
			t.Errorf("%s: required %v, and a default: %v", name, option.Required, has)
		}
	}
	tasks, err := os.ReadFile("../../deploy/ansible/stream_api/tasks/main.yml")
	if err != nil {
		t.Fatal(err)
	}
	registered := regexp.MustCompile(`register: (\w+)`).FindAllStringSubmatch(string(tasks), -1)
	for _, m := range registered {
		described = append(described, m[1])
	}
	for _, name := range regexp.MustCompile(`\bstream_api_\w+`).FindAllString(string(tasks), -1) {
		if !slices.Contains(described, name) {
			t.Errorf("tasks use %s, which nobody describes", name)
		}
	}
	for name := range defaults {
		if !strings.Contains(string(tasks), name) {
			t.Errorf("%s is used by no task", name)
		}
	}
}
