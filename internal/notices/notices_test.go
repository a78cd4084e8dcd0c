package notices

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write notices.txt anew")

func TestEveryLinkedModuleIsInTheNotices(t *testing.T) {
	want, err := compose()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("notices.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != text {
		t.Error("notices.txt is not what the linked modules say: make notices")
	}
}

func TestModulesAreReadFromTheHead(t *testing.T) {
	all := Modules()
	at := slices.IndexFunc(all, func(m Module) bool { return m.Path == "github.com/redis/go-redis/v9" })
	if at < 0 || !strings.HasPrefix(all[at].Version, "v9.") || all[at].Files != "LICENSE" {
		t.Errorf("go-redis is not among them, or not with its version and file: %v", all)
	}
	for _, m := range all {
		if m.Files == "" {
			t.Errorf("%s has no notice", m.Path)
		}
	}
}

// noticeFile are the names under which modules ship what has to go along.
var noticeFile = regexp.MustCompile(`(?i)^((un)?licen[sc]e|copying|notice|patents)(\.(txt|md))?$|\.licen[sc]e\.txt$`)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	Dir        string
	EmbedFiles []string
	Module     *struct {
		Path, Version, Dir string
		Main               bool
	}
}

type notice struct {
	module, version string
	files           map[string]string // name below the module's directory → text
}

// compose makes the text of notices.txt from what is linked on any machine
// that the program is built for.
func compose() (string, error) {
	found := map[string]*notice{}
	for _, arch := range []string{"amd64", "arm64"} {
		packages, err := linked(arch)
		if err != nil {
			return "", err
		}
		for _, p := range packages {
			if p.Module == nil || p.Module.Main {
				continue
			}
			n := found[p.Module.Path]
			if n == nil {
				n = &notice{p.Module.Path, p.Module.Version, map[string]string{}}
				found[n.module] = n
			}
			if err := n.collect(p); err != nil {
				return "", err
			}
		}
	}
	all := []notice{ofGo(found["golang.org/x/sys"])}
	for _, n := range found {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b notice) int { return cmp.Compare(a.module, b.module) })
	return written(all), nil
}

func linked(arch string) ([]goPackage, error) {
	c := exec.Command("go", "list", "-deps", "-json=Dir,EmbedFiles,Module", "stream-api/cmd/stream-api")
	c.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

// collect takes the notices of one package: from its directory up to that of
// its module, and beside what it embeds.
func (n *notice) collect(p goPackage) error {
	dirs := map[string]bool{}
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		dirs[dir] = true
		if dir == p.Module.Dir || !strings.HasPrefix(dir, p.Module.Dir) {
			break
		}
	}
	for _, file := range p.EmbedFiles {
		dirs[filepath.Dir(filepath.Join(p.Dir, file))] = true
	}
	for dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.IsDir() || !noticeFile.MatchString(e.Name()) {
				continue
			}
			content, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			name, err := filepath.Rel(p.Module.Dir, filepath.Join(dir, e.Name()))
			if err != nil {
				return err
			}
			n.files[name] = string(content)
		}
	}
	return nil
}

// ofGo is the notice of Go itself. A distribution may keep it elsewhere than
// beside Go; that of x/sys has the same words.
func ofGo(sys *notice) notice {
	n := notice{"std", "", map[string]string{"LICENSE": sys.files["LICENSE"], "PATENTS": sys.files["PATENTS"]}}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return n
	}
	for name := range n.files {
		content, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), name))
		if !errors.Is(err, fs.ErrNotExist) && err == nil {
			n.files[name] = string(content)
		}
	}
	return n
}

// written lists the modules, then each different text once with whom it covers.
func written(all []notice) string {
	var b strings.Builder
	b.WriteString("stream-api is made of its own code, of Go (std) and of these modules; their notices follow.\n\n")
	covers := map[string][]string{}
	var order []string
	for _, n := range all {
		names := make([]string, 0, len(n.files))
		for name := range n.files {
			names = append(names, name)
		}
		slices.Sort(names)
		title := strings.TrimSpace(n.module + " " + n.version)
		fmt.Fprintf(&b, "- %s: %s\n", title, strings.Join(names, " "))
		for _, name := range names {
			words := strings.TrimSpace(strings.ReplaceAll(n.files[name], "\r\n", "\n"))
			if covers[words] == nil {
				order = append(order, words)
			}
			covers[words] = append(covers[words], title+", "+name)
		}
	}
	for _, words := range order {
		fmt.Fprintf(&b, "\n%s%s\n\n%s\n", rule, strings.Join(covers[words], "\n"), words)
	}
	return b.String()
}
