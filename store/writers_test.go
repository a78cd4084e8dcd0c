package store_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
)

// directCalls write without a script. TestOnlyWritersWrite finds what is missing here.
func directCalls(h store.Holder, v store.Reservation) []scriptCall {
	return []scriptCall{
		{"SetCapacity", func(ctx context.Context, s *store.Store) error { return s.SetCapacity(ctx, v.Type, h.Host, limit(1)) }},
		{"RequeueAt", func(ctx context.Context, s *store.Store) error {
			return s.RequeueAt(ctx, map[string]int64{v.Key: time.Now().UnixMilli()})
		}},
		{"Unseat", func(ctx context.Context, s *store.Store) error { return s.Unseat(ctx, "me") }},
		{"Turn", func(ctx context.Context, s *store.Store) error {
			_, err := s.Turn(ctx, "t", "me", time.Minute)
			return err
		}},
		{"watchSource", func(ctx context.Context, s *store.Store) error { _, err := s.WatchSources(ctx); return err }},
		{"strays", func(ctx context.Context, s *store.Store) error {
			_, err := s.Mender().All(ctx, 10*time.Second)
			return err
		}},
		{"TellTrouble", func(ctx context.Context, s *store.Store) error { return s.TellTrouble(ctx, "w", "d") }},
		{"tellRefusal", func(ctx context.Context, s *store.Store) error {
			store.TellRefusal(s, "claim", errors.New("NOPERM this user has no permissions to run the 'evalsha' command"))
			return s.Check(ctx) // it has nobody to tell
		}},
		{"sweepAside", func(ctx context.Context, s *store.Store) error { return store.SweepAside(ctx, s) }},
	}
}

// content is all that the store holds.
func (g *stage) content() map[string]string {
	g.t.Helper()
	out := map[string]string{}
	keys, err := g.client.Keys(g.ctx, "*").Result()
	g.must(err)
	for _, key := range keys {
		text, err := g.client.Dump(g.ctx, key).Result()
		g.must(err)
		out[key] = text
	}
	return out
}

// TestNoWriterTouchesAnotherLayout: whatever a program that speaks other layouts does
// first, it is refused and has changed nothing.
func TestNoWriterTouchesAnotherLayout(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	a, v := running(g)
	g.seat("me")
	g.must(g.client.HSet(g.ctx, "aside", "requeue", "string zset").Err())           // its key is gone
	g.must(g.client.ZAdd(g.ctx, "pending:enc", redis.Z{Member: "no member"}).Err()) // a hand's
	g.must(g.client.HSet(g.ctx, "source:src", "state", "good", "told", "x").Err())  // news
	g.must(g.client.SAdd(g.ctx, "sources", "src").Err())
	g.must(g.s.MarkDirty(g.ctx, v.Key))
	g.must(g.client.Set(g.ctx, "schema", "3", 0).Err())
	before := g.content()
	for _, c := range slices.Concat(everyCall(a, v), directCalls(a, v)) {
		err := c.run(g.ctx, g.speaking(2, 2).s)
		if !errors.Is(err, store.ErrSchema) && c.script != "held" { // which only reads
			t.Errorf("%s: %v; want another layout refused", c.script, err)
		}
		if after := g.content(); !maps.Equal(before, after) {
			for key := range before {
				if before[key] != after[key] {
					t.Errorf("%s changed %s", c.script, key)
				}
			}
			t.Errorf("%s: %d keys were %d", c.script, len(after), len(before))
			before = after
		}
	}
}

// writes are the commands of Redis by which Go changes a key.
var writes = []string{"Set", "SetNX", "SetEx", "SetXX", "GetSet", "GetDel", "Del", "Unlink", "Expire", "ExpireAt", "PExpire", "Persist", "Rename", "RenameNX", "Copy",
	"Incr", "IncrBy", "Decr", "DecrBy", "Append", "HSet", "HSetNX", "HDel", "HIncrBy", "ZAdd", "ZAddNX", "ZAddArgs", "ZRem", "ZIncrBy", "ZRemRangeByScore", "ZRemRangeByRank",
	"SAdd", "SRem", "SPop", "SMove", "LPush", "RPush", "LPop", "RPop", "LTrim", "LRem", "XAdd", "XDel", "Restore", "FlushDB", "FlushAll"}

// TestOnlyWritersWrite: what writes without a script has its client from writer,
// which looks at the layout first, and stands in directCalls.
func TestOnlyWritersWrite(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"writer": true, "Begin": true} // Begin writes the layout
	for _, c := range directCalls(store.Holder{}, store.Reservation{}) {
		known[c.script] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			may := writers(f)
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				use, ok := call.Fun.(*ast.SelectorExpr)
				// Nothing else has a context as its first argument and such a name.
				if !ok || !slices.Contains(writes, use.Sel.Name) || len(call.Args) < 2 {
					return true
				}
				found++
				if id, ok := use.X.(*ast.Ident); (!ok || !may[id.Name]) && f.Name.Name != "Begin" {
					t.Errorf("%s: %s writes without having looked at the layout: writer, err := s.writer(ctx)", set.Position(call.Pos()), use.Sel.Name)
				}
				if !known[f.Name.Name] {
					t.Errorf("%s: %s writes and is not among directCalls", set.Position(call.Pos()), f.Name.Name)
				}
				return true
			})
		}
	}
	if found < len(known)-1 {
		t.Errorf("%d writes were found; this test does not see them any more", found)
	}
}

// writers are the variables of a function that have a client from writer, and pipelines of it.
func writers(f *ast.FuncDecl) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		let, ok := n.(*ast.AssignStmt)
		if !ok || len(let.Rhs) != 1 {
			return true
		}
		call, ok := let.Rhs[0].(*ast.CallExpr)
		if !ok {
			return true
		}
		use, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		of, _ := use.X.(*ast.Ident)
		if use.Sel.Name == "writer" || of != nil && out[of.Name] && use.Sel.Name == "Pipeline" {
			out[let.Lhs[0].(*ast.Ident).Name] = true
		}
		return true
	})
	return out
}

// TestAllCommandsThatWriteAreKnown: a name in writes is one of the library's.
func TestAllCommandsThatWriteAreKnown(t *testing.T) {
	t.Parallel()
	client := reflect.TypeOf(newStage(t).client)
	for _, name := range writes {
		if _, ok := client.MethodByName(name); !ok {
			t.Errorf("the library has no %s", name)
		}
	}
}
