package arrows

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "stream-api/"

// may says what each package may import of this project, and why not more.
// A package that is not listed may import nothing and be imported by nobody,
// so that a new one has to find its place here first.
var may = map[string][]string{
	"stream":                {"internal/legible"},                                                                                                                    // the vocabulary
	"program":               {},                                                                                                                                      // looks at files, knows nothing of us
	"lua":                   {},                                                                                                                                      // text and its contract
	"store":                 {"stream", "lua"},                                                                                                                       // the only owner of Redis keys
	"store/embedded":        {},                                                                                                                                      // a server, knows no key
	"queue":                 {"stream", "internal/legible"},                                                                                                          // a hint cannot decide anything, so it knows no store
	"sources":               {"stream", "store", "queue", "program", "internal/orphans", "internal/regular", "internal/confine", "internal/legible"},                 //
	"problem":               {"stream"},                                                                                                                              // pure: the page and the commands say the same
	"render":                {"stream"},                                                                                                                              // the picture in, a file out: who reads the store is given to it
	"scheduler/placement":   {"stream"},                                                                                                                              // pure: what is known comes as arguments
	"scheduler":             {"stream", "store", "queue", "scheduler/placement"},                                                                                     // never runners: a decision knows no process
	"runners":               {"stream", "store", "queue", "runners/plan", "runners/statedir", "runners/supervisor", "internal/orphans", "internal/probe", "program"}, // never scheduler: a host obeys the store alone
	"runners/plan":          {"stream", "runners/supervisor", "program", "internal/confine", "internal/regular"},                                                     // what a child is, and not who wants it: no store
	"runners/statedir":      {"stream", "store", "runners/plan", "runners/supervisor", "internal/regular"},                                                           // files, and no store is asked
	"runners/supervisor":    {"internal/confine", "internal/legible", "internal/orphans", "internal/probe", "internal/regular", "internal/seclude", "program"},       // small, and older or newer than its runner
	"config":                {"stream", "program", "runners/plan", "runners/supervisor", "internal/confine", "internal/probe", "internal/regular"},                   // decodes into what a child is; otherwise a leaf
	"web":                   {"stream", "store", "queue", "problem", "scheduler/placement"},                                                                          // placement to say what would find a place, and never to give one
	"internal/arrows":       {},
	"internal/confine":      {"internal/confine/step"},       // files and processes, and no noun of ours
	"internal/confine/step": {},                              // runs before anything else is initialised
	"internal/realrun":      {"internal/realtest", "stream"}, // the program from outside; stream for the contract of its JSON
	"internal/realtest":     {},
	"internal/probe":        {"internal/legible"}, // asks a place, and no noun of ours
	"internal/seclude":      {},                   // the process, and no noun of ours
	"internal/orphans":      {},                   // processes, and no noun of ours
	"internal/regular":      {},                   // files, and no noun of ours
	"internal/legible":      {},                   // texts, and no noun of ours: a supervisor shows some, too
	"internal/notices":      {},                   // a text
}

// home says which packages may import a library, so that each has one.
var home = map[string][]string{
	"github.com/hibiken/asynq":               {"queue"},
	"github.com/hibiken/asynqmon":            {"queue"},
	"github.com/alicebob/miniredis/v2":       {"store/embedded"},
	"github.com/goccy/go-yaml":               {"config"},
	"github.com/spf13/cobra":                 {"cmd/stream-api"},
	"github.com/redis/go-redis/v9":           {"store", "store/embedded", "queue", "cmd/stream-api", "internal/realtest"}, // queue for asynq's keys, cmd to dial
	"os/exec":                                {"runners", "runners/supervisor", "sources", "cmd/stream-api", "config", "internal/realtest", "internal/realrun", "internal/arrows", "internal/orphans", "internal/confine"},
	"github.com/go-playground/validator/v10": {"config"},
}

type pkg struct {
	ImportPath, Dir  string
	Imports, GoFiles []string
}

func TestArrowsPointOneWay(t *testing.T) {
	for _, p := range list(t) {
		for _, wrong := range strays(p) {
			t.Error(wrong)
		}
	}
}

// strays are the imports of our own that a package may not have.
func strays(p pkg) (wrong []string) {
	name := strings.TrimPrefix(p.ImportPath, module)
	if strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "test/") {
		return nil // wire and test everything
	}
	allowed, listed := may[name]
	if !listed {
		return []string{fmt.Sprintf("package %s is new: say in this test what it may import", name)}
	}
	for _, i := range p.Imports {
		other, ours := strings.CutPrefix(i, module)
		if ours && !slices.Contains(allowed, other) {
			wrong = append(wrong, fmt.Sprintf("%s imports %s: it may import only %v", name, other, allowed))
		}
	}
	return wrong
}

func TestEachLibraryHasItsHome(t *testing.T) {
	for _, p := range list(t) {
		for _, wrong := range homeless(p) {
			t.Error(wrong)
		}
	}
}

// homeless are the libraries that a package may not import.
func homeless(p pkg) (wrong []string) {
	name := strings.TrimPrefix(p.ImportPath, module)
	if strings.HasPrefix(name, "test/") {
		return nil
	}
	for _, i := range p.Imports {
		for library, homes := range home {
			if (i == library || strings.HasPrefix(i, library+"/")) && !slices.Contains(homes, name) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, whose home is %v", name, i, homes))
			}
		}
	}
	return wrong
}

func TestEachArrowAndHomeCatchesWhatItForbids(t *testing.T) {
	for name := range may {
		if strays(pkg{ImportPath: module + name, Imports: []string{module + "cmd/stream-api"}}) == nil {
			t.Errorf("%s may import the command", name)
		}
	}
	if strays(pkg{ImportPath: module + "new"}) == nil {
		t.Error("a new package needs no place here")
	}
	for library := range home {
		for _, i := range []string{library, library + "/internal/x"} {
			if homeless(pkg{ImportPath: module + "stream", Imports: []string{i}}) == nil {
				t.Errorf("stream may import %s", i)
			}
		}
	}
}

// goList runs once for all tests of this package.
var goList = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", module+"...").Output()
})

// list asks the go command for the packages of the module, tests left out.
func list(t *testing.T) []pkg {
	t.Helper()
	out, err := goList()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	if len(pkgs) < len(may)/2 {
		t.Fatalf("go list found only %d packages", len(pkgs))
	}
	return pkgs
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
