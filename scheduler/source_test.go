package scheduler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// by is what a source says: since when it is in doubt (0: it lists the stream),
// and whether the doubt is that nobody could ask it.
func by(rank int, missing, lastGood int64, unknown bool) store.Declaration {
	v := store.Declaration{State: stream.SourceGood, MissingSince: missing, LastGood: lastGood, GoneAfter: 60 * time.Second}
	v.Rank = rank
	if unknown {
		v.State = stream.SourceUnknown
	}
	return v
}

func TestSourceInUse(t *testing.T) {
	t.Parallel()
	const now = 1_000_000
	tests := []struct {
		name     string
		current  string
		memory   string
		declared map[string]store.Declaration
		want     choice
	}{
		{"nobody announces it", "a", "", nil, choice{}},
		{"first: the highest rank", "", "", map[string]store.Declaration{"a": by(0, 0, now, false), "b": by(5, 0, now, false)}, choice{source: "b"}},
		{"first: equal ranks go by name", "", "", map[string]store.Declaration{"b": by(0, 0, now, false), "a": by(0, 0, now, false)}, choice{source: "a"}},
		{"first: a good one before a doubtful one of higher rank", "", "", map[string]store.Declaration{"a": by(9, now-1, now, false), "b": by(0, 0, now, false)}, choice{source: "b"}},
		{"first: a doubtful one is better than none", "", "", map[string]store.Declaration{"a": by(0, 0, now-5, true)}, choice{source: "a", away: true}},
		{"kept: another of equal rank is no reason", "b", "", map[string]store.Declaration{"a": by(0, 0, now, false), "b": by(0, 0, now, false)}, choice{source: "b"}},
		{"kept while missing for less than gone_after", "a", "",
			map[string]store.Declaration{"a": by(1, now-10_000, now, false), "b": by(0, 0, now, false)},
			choice{source: "a", away: true, again: now + 50_000}},
		{"kept while unknown for less than gone_after", "a", "",
			map[string]store.Declaration{"a": by(1, 0, now-59_999, true), "b": by(0, 0, now, false)},
			choice{source: "a", away: true, again: now + 1}},
		{"left when unknown for gone_after", "a", "",
			map[string]store.Declaration{"a": by(1, 0, now-60_000, true), "b": by(0, 0, now, false)}, choice{source: "b"}},
		{"kept though unknown for long, without a good one", "a", "",
			map[string]store.Declaration{"a": by(1, 0, now-900_000, true), "b": by(0, now-5, now, false)}, choice{source: "a", away: true}},
		{"left at once when it took the stream back", "a", "", map[string]store.Declaration{"b": by(0, 0, now, false)}, choice{source: "b"}},
		{"a better one that is back waits", "b", "",
			map[string]store.Declaration{"a": by(1, 0, now, false), "b": by(0, 0, now, false)},
			choice{source: "b", memory: "a 1000000", again: now + 15_000}},
		{"the wait goes on from its memory", "b", "a 990000",
			map[string]store.Declaration{"a": by(1, 0, now, false), "b": by(0, 0, now, false)},
			choice{source: "b", memory: "a 990000", again: 1_005_000}},
		{"the wait is over", "b", "a 985000", map[string]store.Declaration{"a": by(1, 0, now, false), "b": by(0, 0, now, false)}, choice{source: "a"}},
		{"a memory of another source does not count", "b", "c 1",
			map[string]store.Declaration{"a": by(1, 0, now, false), "b": by(0, 0, now, false)},
			choice{source: "b", memory: "a 1000000", again: now + 15_000}},
		{"a memory made nonsense by hand does not count", "b", "a x",
			map[string]store.Declaration{"a": by(1, 0, now, false), "b": by(0, 0, now, false)},
			choice{source: "b", memory: "a 1000000", again: now + 15_000}},
		{"a better one that flaps again loses its wait", "b", "a 985000",
			map[string]store.Declaration{"a": by(1, now-1, now, false), "b": by(0, 0, now, false)}, choice{source: "b"}},
		{"the sooner of two reasons to look again", "b", "",
			map[string]store.Declaration{"a": by(1, 0, now, false), "b": by(0, now-55_000, now, false)},
			choice{source: "b", away: true, memory: "a 1000000", again: now + 5_000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := store.Declared{Current: tt.current, Return: tt.memory, BySource: tt.declared, Now: now}
			if got := chooseSource(v, 15*time.Second); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAnOperatorSwitchesSlotsOverTheChain(t *testing.T) {
	t.Parallel()
	full := make([]string, stream.MaxChain)
	for i := range full {
		full[i] = fmt.Sprintf("s%d", i)
	}
	for _, tt := range []struct {
		name        string
		chain, want []string
		slots       map[string]bool
	}{
		{"off leaves the others", []string{"dist", "thumb", "hls"}, []string{"dist", "hls"}, map[string]bool{"thumb": false}},
		{"on comes behind the chain, by name", []string{"hls", "dist"}, []string{"hls", "dist", "a", "b"}, map[string]bool{"b": true, "a": true}},
		{"on of what the chain has changes nothing", []string{"dist", "hls"}, []string{"dist", "hls"}, map[string]bool{"dist": true}},
		{"off of what the chain has not changes nothing", []string{"dist"}, []string{"dist"}, map[string]bool{"hls": false}},
		{"all may be off", []string{"dist"}, []string{}, map[string]bool{"dist": false}},
		{"no more than a stream may have", full, full, map[string]bool{"record": true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := by(0, 0, 1, false)
			in.Chain = tt.chain
			v := store.Declared{Key: "s1", Now: 1, BySource: map[string]store.Declaration{"in": in}, Overrides: store.Overrides{Slots: tt.slots}}
			w, _ := decideWant(store.Mark{Key: "s1"}, v, nil, time.Second)
			if !w.Wanted || !slices.Equal(w.Chain, tt.want) || w.Chain == nil {
				t.Errorf("%v is wanted, want %v", w.Chain, tt.want)
			}
			if got := w.Fields["sys:reason"]; (got == "all-off") != (len(tt.want) == 0) {
				t.Errorf("the reason is %q", got)
			}
			// What cannot be read is no reason to pass over what an operator said.
			v.BySource, v.Problems = nil, []string{"source in: nonsense"}
			w, _ = decideWant(store.Mark{Key: "s1"}, v, &store.Record{Chain: tt.chain}, time.Second)
			if !slices.Equal(w.Chain, tt.want) || !w.Adds {
				t.Errorf("unreadable: %v is wanted, want %v", w.Chain, tt.want)
			}
		})
	}
}

func TestWhatIsWantedOfAStream(t *testing.T) {
	t.Parallel()
	declared := store.Declared{Key: "s1", Now: 1, BySource: map[string]store.Declaration{"in": by(0, 0, 1, false)}}
	in := declared.BySource["in"]
	in.Chain, in.Priority = []string{"dist"}, 7
	in.Vars, in.Source = map[string]string{"lang": "de", "fps": "25"}, map[string]string{"url": "http://in"}
	declared.BySource["in"] = in
	declared.Overrides = store.Overrides{Held: true, Vars: map[string]string{"lang": "en", "chain": "no", "a b": "no"}}
	w, _ := decideWant(store.Mark{Key: "s1", Number: 3}, declared, nil, time.Second)
	want := map[string]string{"source": "in", "lang": "en", "fps": "25", "source:url": "http://in", "sys:reason": "held"}
	if !w.Wanted || !w.Held || w.Priority != 7 || len(w.Fields) != len(want) {
		t.Fatalf("got %+v; want fields %v", w, want)
	}
	for name, value := range want {
		if w.Fields[name] != value {
			t.Errorf("field %s = %q, want %q", name, w.Fields[name], value)
		}
	}
}

func TestStreamOfWhichNothingReadsIsKeptAsItWas(t *testing.T) {
	t.Parallel()
	declared := store.Declared{Key: "s1", Current: "in", Problems: []string{`source in: chain names "a" twice`}}
	before := &store.Record{Key: "s1", Source: "in", Chain: []string{"dist"}, Priority: 4, Vars: map[string]string{"x": "1"}}
	w, _ := decideWant(store.Mark{Key: "s1"}, declared, before, time.Second)
	if !w.Wanted || len(w.Chain) != 1 || w.Priority != 4 || w.Fields["x"] != "1" || stream.ParseReason(w.Fields["sys:reason"]).String() != declared.Problems[0] {
		t.Errorf("got %+v; want it as before, with the problem as reason", w)
	}
	w, _ = decideWant(store.Mark{Key: "s1"}, declared, nil, time.Second)
	if !w.Wanted || len(w.Chain) != 0 || stream.ParseReason(w.Fields["sys:reason"]).String() != declared.Problems[0] {
		t.Errorf("a new one: %+v; want an empty chain that shows the problem", w)
	}
}
