package arrows

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A word means one thing (the table is in CONTRIBUTING.md). Those that once meant more
// may name something in their homes only: a package, a file of one, or a script.
var words = map[string]struct{ means, homes string }{
	"seat":    {"a busy place among the schedulers; a service has a capacity", "scheduler store/seat.go lua/seat.lua lua/raise.lua"},
	"verdict": {"what a source's rules make of a mount; after a child's end comes a backoff", "sources"},
	"attempt": {"a try to start a child; a task has sendings, a slot is searched a place", "runners runners/supervisor"},
	"shadow":  {"nothing: an instance that follows another is its successor", ""},
	"unmove":  {"nothing: a move is ended", ""},
	"recall":  {"nothing: a stream is reconciled", ""},
}

var part = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+`)

// partsOf splits a name: giveBackSeats is give, back, seat.
func partsOf(name string) []string {
	parts := part.FindAllString(name, -1)
	for i, p := range parts {
		parts[i] = strings.TrimSuffix(strings.ToLower(p), "s")
	}
	return parts
}

// coined are the names that a file declares.
func coined(name string, src any) (names []*ast.Ident, set *token.FileSet, err error) {
	set = token.NewFileSet()
	file, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	add := func(e ast.Expr) {
		if id, ok := e.(*ast.Ident); ok {
			names = append(names, id)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			add(n.Name)
		case *ast.TypeSpec:
			add(n.Name)
		case *ast.Field:
			names = append(names, n.Names...)
		case *ast.ValueSpec:
			names = append(names, n.Names...)
		case *ast.RangeStmt:
			add(n.Key)
			add(n.Value)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, e := range n.Lhs {
					add(e)
				}
			}
		}
		return true
	})
	return names, set, nil
}

// misused are the names in a file that use a word away from its homes.
func misused(name string, src any) (out []string, err error) {
	names, set, err := coined(name, src)
	if err != nil {
		return nil, err
	}
	for _, id := range names {
		for _, p := range partsOf(id.Name) {
			if w, ours := words[p]; ours && !athome(w.homes, name) {
				out = append(out, fmt.Sprintf("%s: %s: %s is %s", set.Position(id.Pos()), id.Name, p, w.means))
			}
		}
	}
	return out, nil
}

func athome(homes, file string) bool {
	all := strings.Fields(homes)
	return slices.Contains(all, file) || slices.Contains(all, path.Dir(file))
}

func TestAWordMeansOneThing(t *testing.T) {
	for _, p := range list(t) {
		dir := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(dir, "test/") {
			continue
		}
		for _, file := range p.GoFiles {
			wrong, err := misused(dir+"/"+file, read(t, filepath.Join(p.Dir, file)))
			if err != nil {
				t.Error(err)
			}
			for _, w := range wrong {
				t.Error(w)
			}
		}
	}
	scripts, err := filepath.Glob("../../lua/*.lua")
	includes, err2 := filepath.Glob("../../lua/include/*.lua")
	if err != nil || err2 != nil || len(scripts) == 0 || len(includes) == 0 {
		t.Fatalf("no scripts: %v, %v", err, err2)
	}
	for _, file := range append(scripts, includes...) {
		text, name := string(read(t, file)), strings.TrimPrefix(file, "../../")
		for word, w := range words {
			if !athome(w.homes, name) && regexp.MustCompile(`(?i)\b`+word+`s?\b`).MatchString(text) {
				t.Errorf("%s speaks of a %s, which is %s", name, word, w.means)
			}
		}
	}
}

func TestAStrayWordIsSeen(t *testing.T) {
	for src, n := range map[string]int{
		"package p\nfunc freeSeats() {}\n":                          1,
		"package p\ntype s struct{ Verdict int }\n":                 1,
		"package p\nfunc f() { for _, attempt := range x {} }\n":    1,
		"package p\nfunc f(seats int) (attempts int) { return }\n":  2,
		"package p\nvar closeAtExec, seated, attempted = 1, 2, 3\n": 0,
	} {
		if got, err := misused("web/new.go", src); err != nil || len(got) != n {
			t.Errorf("%s: %v, %v", src, got, err)
		}
	}
	if got, err := misused("scheduler/new.go", "package p\nvar seats = 1\n"); err != nil || len(got) != 0 {
		t.Errorf("at home it is refused: %v, %v", got, err)
	}
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for word := range words {
		if !regexp.MustCompile(`\b` + word + `\b`).Match(text) {
			t.Errorf("the table of words in CONTRIBUTING.md does not speak of %s", word)
		}
	}
}
