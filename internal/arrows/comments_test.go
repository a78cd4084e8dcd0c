package arrows

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// silent are the exported functions, methods and types of a file without a comment that
// begins with their name. Whoever calls them reads what they promise there: shapes,
// units, errors. What implements an interface of the standard library needs none.
func silent(name string, src any) (out []string, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	say := func(id *ast.Ident, doc *ast.CommentGroup) {
		if id.IsExported() && !strings.HasPrefix(doc.Text(), id.Name) && !wellKnown[id.Name] {
			out = append(out, fmt.Sprintf("%s: %s has no comment that begins with its name", set.Position(id.Pos()), id.Name))
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
				say(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if spec, ok := spec.(*ast.TypeSpec); ok {
					doc := spec.Doc
					if doc == nil {
						doc = d.Doc
					}
					say(spec.Name, doc)
				}
			}
		}
	}
	return out, nil
}

// wellKnown are methods of interfaces that everybody knows.
var wellKnown = map[string]bool{
	"Error": true, "Unwrap": true, "Is": true, "String": true, "Close": true, "Write": true, "Read": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "UnmarshalYAML": true, "MarshalYAML": true,
	"Len": true, "Less": true, "Swap": true, "ServeHTTP": true, "Describe": true, "Collect": true,
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestWhatIsExportedSaysWhatItPromises(t *testing.T) {
	for _, p := range list(t) {
		dir := strings.TrimPrefix(p.ImportPath, module)
		for _, file := range p.GoFiles {
			missing, err := silent(dir+"/"+file, read(t, filepath.Join(p.Dir, file)))
			if err != nil {
				t.Error(err)
			}
			for _, m := range missing {
				t.Error(m)
			}
		}
	}
}

func TestASilentExportIsSeen(t *testing.T) {
	for src, n := range map[string]int{
		"package p\nfunc F() {}\n":                                       1,
		"package p\n// It does.\nfunc F() {}\n":                          1,
		"package p\n// F does.\nfunc F() {}\n":                           0,
		"package p\nfunc f() {}\n":                                       0,
		"package p\n// T is.\ntype T int\nfunc (t *T) F() {}\n":          1,
		"package p\ntype t int\nfunc (t) F() {}\n":                       0,
		"package p\n// T is.\ntype T int\nfunc (T) String() string {}\n": 0,
		"package p\ntype T int\n":                                        1,
		"package p\ntype (\n\t// T is.\n\tT int\n\tU int\n)\n":           1,
	} {
		if got, err := silent("p.go", src); err != nil || len(got) != n {
			t.Errorf("%s: %v, %v; want %d", src, got, err, n)
		}
	}
}
