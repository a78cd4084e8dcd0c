package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stream-api/config"
	"stream-api/runners/plan"
	"stream-api/runners/statedir"
	"stream-api/sources"
)

// wired is what the file comes to in the parts that obey it.
type wired struct {
	service plan.Service
	source  sources.Config
}

// zeros are the keys that take a zero, and what it then is.
var zeros = map[string]func(wired) bool{
	"services.<type>.capacity":                     func(w wired) bool { return w.service.Capacity != nil && *w.service.Capacity == 0 },
	"services.<type>.plugin.stop.grace":            func(w wired) bool { return w.service.Exec.Stop.Grace == 0 },
	"services.<type>.plugin.stall":                 func(w wired) bool { return w.service.Exec.Stall == 0 },
	"services.<type>.plugin.restart.give_up_after": func(w wired) bool { return w.service.Exec.Restart.GiveUpAfter == 0 },
	"services.<type>.plugin.limits.files":          func(w wired) bool { return w.service.Exec.Limits.Files == 0 }, // as the host
	"services.<type>.plugin.limits.pids":           func(w wired) bool { return w.service.Exec.Limits.PIDs == 0 },
	"sources[].vars.gone_after":                    func(w wired) bool { return w.source.GoneAfter == 0 },
	"sources[].priority":                           func(w wired) bool { return w.source.Priority == 0 },
	"sources[].rank":                               func(w wired) bool { return w.source.Rank == "0" },
	"sources[].rules_version":                      func(w wired) bool { return w.source.RulesVersion == 0 },
	"sources[].rules[].priority":                   func(w wired) bool { return *w.source.Rules[0].Priority == 0 },
}

var numberRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (time|number|0 to 899) \\|")

// A zero that is written means zero, all the way to who obeys it, or the file is
// refused: never the default.
func TestZeroMeansZeroInEveryDocumentedKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := numberRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) < 15 {
		t.Fatalf("only %d keys found", len(rows))
	}
	for _, row := range rows {
		t.Run(row[1], func(t *testing.T) {
			var value any = 0
			if row[2] == "time" {
				value = "0s"
			}
			cfg, err := loadWith(t, row[1], value)
			is, taken := zeros[row[1]]
			switch {
			case err != nil && taken:
				t.Errorf("refused: %v", err)
			case err != nil:
				if !strings.Contains(err.Error(), "too little") {
					t.Errorf("refused with %v", err)
				}
				return
			case !taken:
				t.Error("taken; say in this test what it comes to")
				return
			}
			source, err := sourceConfig(cfg, cfg.Sources[0])
			if err != nil {
				t.Fatal(err)
			}
			if w := (wired{cfg.Services.Plans()[0], source}); !is(w) {
				t.Errorf("comes to %+v", w)
			}
		})
	}
}

func loadWith(t *testing.T, key string, value any) (*config.Config, error) {
	t.Helper()
	file := map[string]any{
		"network": map[string]any{"name": "a"},
		"sources": []any{map[string]any{
			"plugin": "poll", "chain": []any{"x"}, "vars": map[string]any{"url": "http://in:8000"}, "rules": []any{map[string]any{"match": "^s"}},
		}},
		"services": map[string]any{"x": map[string]any{"plugin": map[string]any{"name": "exec", "path": "/bin/true"}}},
	}
	at := file
	parts := strings.Split(key, ".")
	for i, part := range parts {
		if i == len(parts)-1 {
			at[part] = value
			break
		}
		name, list := strings.CutSuffix(part, "[]")
		if part == "<type>" {
			name = "x"
		}
		if at[name] == nil {
			at[name] = map[string]any{}
		}
		if list {
			at = at[name].([]any)[0].(map[string]any)
		} else {
			at = at[name].(map[string]any)
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(path)
}

func TestTheStateDirectoryMayBeAsLongForBoth(t *testing.T) {
	t.Parallel()
	if config.MaxStateDir != statedir.MaxPath {
		t.Errorf("check-config takes %d bytes, run %d", config.MaxStateDir, statedir.MaxPath)
	}
	if _, err := loadWith(t, "state_dir", "/"+strings.Repeat("x", statedir.MaxPath)); err == nil || !strings.Contains(err.Error(), "sockets lie below it") {
		t.Errorf("one byte more: %v", err)
	}
	if _, err := loadWith(t, "state_dir", "/"+strings.Repeat("x", statedir.MaxPath-1)); err != nil {
		t.Error(err)
	}
}

func TestARegularExpressionIsNoTemplate(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"services.<type>.stream_filter", "services.<type>.stream_prefer", "services.<type>.filter", "sources[].vars.match", "sources[].rules[].match",
		"services.<type>.global_vars.stream_filter", "services.<type>.global_vars.stream_prefer",
	} {
		if _, err := loadWith(t, key, "^${host:room}_"); err == nil || !strings.Contains(err.Error(), "could never match") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
