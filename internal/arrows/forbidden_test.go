package arrows

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A rule keeps some functions of a library to the files that are named with a
// reason; everywhere else they may be neither called nor passed on. Tests are free.
type rule struct {
	library string
	names   []string
	within  []string          // packages the rule is for; none: all
	homes   map[string]string // a file or a whole package: why there
	why     string
}

var rules = []rule{{
	library: "time", names: []string{"Now", "Since", "Until"},
	within: []string{"stream", "lua", "config", "program", "scheduler", "scheduler/placement"},
	homes: map[string]string{
		"scheduler/each.go":   "when this scheduler compared last",
		"scheduler/drain.go":  "how long ago this scheduler tried a move",
		"scheduler/loop.go":   "how often an outage is said",
		"scheduler/pass.go":   "when the net is due",
		"scheduler/reap.go":   "measures the store's clock, beside the reply that says it",
		"scheduler/upkeep.go": "how long ago this scheduler read the leases of hosts",
		"scheduler/view.go":   "how old the copy of the hosts is",
	},
	why: "a decision is a pure function: the time comes from the store or as an argument",
}, {
	library: "time", names: []string{"Now", "Since", "Until"},
	within: []string{"runners/supervisor"},
	homes: map[string]string{
		"runners/supervisor/attempt.go":  "when a child began and ended, for people",
		"runners/supervisor/client.go":   "a deadline of a socket",
		"runners/supervisor/conn.go":     "a deadline of a socket",
		"runners/supervisor/finish.go":   "when a supervisor was found dead, for people",
		"runners/supervisor/hello.go":    "a deadline of a socket, and how often is warned",
		"runners/supervisor/life.go":     "when a life ended and goes on, for people",
		"runners/supervisor/log.go":      "the times in a journal",
		"runners/supervisor/main.go":     "when the supervisor began, for people",
		"runners/supervisor/output.go":   "a deadline of a pipe",
		"runners/supervisor/progress.go": "when ffmpeg last said how it gets on",
		"runners/supervisor/ready.go":    "how long a child has to be ready",
		"runners/supervisor/saver.go":    "how often the state is written",
		"runners/supervisor/server.go":   "when a life ended, for people",
		"runners/supervisor/tree.go":     "how long a tree takes to die",
	},
	why: "the term and the restart policy must not follow a clock that people set: use the boot clock, or an argument",
}, {
	library: "os", names: []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"},
	homes: map[string]string{
		"config/local.go":            "${env:NAME} of the file",
		"program/environ.go":         "what every program inherits that is started from here",
		"runners/supervisor/main.go": "tells a supervisor from somebody who typed its command",
		"cmd/stream-api":             "the program's own variables",
		"internal/realrun":           "the fake child of tests",
		"internal/realtest":          "real servers of tests",
	},
	why: "a setting comes from the file, so that check-config shows it",
}, {
	library: "os/exec", names: []string{"Command", "CommandContext", "Cmd"},
	homes: map[string]string{
		"runners/supervisor/finish.go":    "post_stop of a child whose supervisor is dead",
		"sources/exec.go":                 "an exec source",
		"runners/check.go":                "the check of a service: no child of a slot",
		"cmd/stream-api/reload.go":        "the new binary reads the new file",
		"cmd/stream-api/tryrun.go":        "stream-api try",
		"cmd/stream-api/demohost.go":      "the hosts of the demo",
		"cmd/stream-api/rendercommand.go": "tells who reads a rendered file: no child of a slot",
		"internal/orphans":                "runs commands that the collector of orphans leaves alone",
		"internal/realrun":                "real hosts of tests",
		"internal/realtest":               "real servers of tests",
		"internal/confine/wrap.go":        "makes a command of another's go through a passage",
	},
	why: "whoever starts a process must end its whole tree and wait for it: a child of a slot is its supervisor's",
}, {
	library: "os", names: []string{"StartProcess"},
	homes: map[string]string{"internal/orphans": "so that PID 1 does not collect it first"},
	why:   "start it with orphans.StartProcess",
}, {
	library: "syscall", names: []string{"ForkExec", "StartProcess", "Exec"},
	homes: map[string]string{
		"runners/supervisor/forker.go": "the child of a slot, in its own group before it runs",
		"cmd/stream-api/run.go":        "the next life of this process",
		"internal/confine/step":        "the step becomes the program",
	},
	why: "the child of a slot is its supervisor's",
}}

// breaks returns what a file does against the rules, by their place in rules, or by -1
// what none can judge; name is the file's path in the module.
func breaks(name string, src any, rules []rule) (map[int][]string, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	imported := map[string]string{} // the name in this file: the library
	broken := map[int][]string{}
	for _, spec := range file.Imports {
		library, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		local := path.Base(library)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == "." {
			broken[-1] = append(broken[-1], fmt.Sprintf("%s: import . hides where a name comes from", set.Position(spec.Pos())))
		}
		imported[local] = library
	}
	ast.Inspect(file, func(n ast.Node) bool {
		use, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		local, ok := use.X.(*ast.Ident)
		if !ok {
			return true
		}
		for i, r := range rules {
			if imported[local.Name] == r.library && slices.Contains(r.names, use.Sel.Name) && r.forbids(name) {
				broken[i] = append(broken[i], fmt.Sprintf("%s: %s.%s: %s", set.Position(use.Pos()), r.library, use.Sel.Name, r.why))
			}
		}
		return true
	})
	return broken, nil
}

// forbids tells whether the rule is for this file.
func (r rule) forbids(file string) bool {
	dir := path.Dir(file)
	return (r.within == nil || slices.Contains(r.within, dir)) && r.homes[file] == "" && r.homes[dir] == ""
}

func TestForbiddenCallsStayInTheirHomes(t *testing.T) {
	bare := slices.Clone(rules)
	for i := range bare {
		bare[i].homes = nil
	}
	needed := map[string]bool{} // homes that are used
	for _, p := range list(t) {
		dir := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(dir, "test/") {
			continue
		}
		for _, file := range p.GoFiles {
			src := read(t, filepath.Join(p.Dir, file))
			broken, err := breaks(dir+"/"+file, src, rules)
			if err != nil {
				t.Error(err)
			}
			for _, wrong := range slices.Concat(slices.Collect(maps.Values(broken))...) {
				t.Error(wrong)
			}
			used, _ := breaks(dir+"/"+file, src, bare)
			for i := range used {
				needed[fmt.Sprint(i, dir)], needed[fmt.Sprint(i, dir+"/"+file)] = true, true
			}
		}
	}
	for i, r := range rules {
		for home := range r.homes {
			if !needed[fmt.Sprint(i, home)] {
				t.Errorf("%s does not use %s.%v any more: take it from the homes", home, r.library, r.names)
			}
		}
	}
}

func TestEachRuleCatchesWhatItForbids(t *testing.T) {
	for i, r := range rules {
		if r.why == "" {
			t.Errorf("the rule on %s.%v gives no reason", r.library, r.names)
		}
		within := r.within
		if within == nil {
			within = []string{"scheduler", "web", "queue"}
		}
		for _, dir := range within {
			for _, name := range r.names {
				for shape, src := range map[string]string{
					"called":    fmt.Sprintf("package p\nimport %q\nfunc f() { %s.%s() }\n", r.library, path.Base(r.library), name),
					"passed on": fmt.Sprintf("package p\nimport %q\nvar f = %s.%s\n", r.library, path.Base(r.library), name),
					"renamed":   fmt.Sprintf("package p\nimport other %q\nvar f = other.%s\n", r.library, name),
				} {
					if broken, err := breaks(dir+"/new.go", src, rules); err != nil || len(broken[i]) != 1 {
						t.Errorf("rule %d, %s.%s %s in %s/new.go: %v, %v", i, r.library, name, shape, dir, broken, err)
					}
				}
			}
		}
		for home := range r.homes {
			file := home
			if path.Ext(home) != ".go" {
				file += "/any.go"
			}
			if r.forbids(file) {
				t.Errorf("rule %d: %s is not a home of %s", i, file, r.library)
			}
		}
	}
	if broken, _ := breaks("web/new.go", "package p\nimport . \"time\"\nvar f = Now\n", rules); len(broken) != 1 {
		t.Errorf("import . is not caught: %v", broken)
	}
	if broken, _ := breaks("web/new.go", "package p\nimport \"time\"\nvar f = time.Now // not a decision\n", rules); len(broken) != 0 {
		t.Errorf("what is allowed is forbidden: %v", broken)
	}
}
