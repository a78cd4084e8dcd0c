package store_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"stream-api/store"
)

// TestRulesHoldWhateverPollersDo lets three pollers of one source, each with a file of its own, start, be edited, freeze, die, be
// installed anew and lose their store in any order. After each step:
//
//   - what is announced is announced by the rules in force;
//   - rules come into force only by a file that was made from those before it, by a higher version, by an operator, or, where
//     none are left, as somebody remembers them; and by no file in a hold;
//   - a loss of the store brings back the highest version that a living host remembers, if one spoke in the hold.
func TestRulesHoldWhateverPollersDo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			t.Parallel()
			m := newRulesModel(t, seed)
			for range 400 {
				if err := m.step(); err != nil {
					t.Fatalf("%v; the last steps:\n%s", err, strings.Join(m.done[max(0, len(m.done)-25):], "\n"))
				}
			}
			for _, what := range []string{"won by base", "won by version", "remembered", "first", "differs", "accepted", "announced", "refused"} {
				if m.seen[what] == 0 {
					t.Errorf("never seen: %s (%v)", what, m.seen)
				}
			}
		})
	}
}

// Without compare and set the model finds an old file in force.
func TestTheModelOfRulesFindsWhatIsNotComparedAndSet(t *testing.T) {
	t.Parallel()
	for cut, with := range map[string]string{
		"fresh and own.digest ~= current.digest and same(base, current)": "fresh and own.digest ~= current.digest",
		"wins and not hold":          "wins",
		"wants > current.version or": "wants > 0 or",
		"if memory.version > 0 and (current.version == 0 or hold and better) then": "if false then",
	} {
		found := false
		for seed := uint64(0); seed < 10 && !found; seed++ {
			m := newRulesModel(t, seed)
			if err := store.Alter(m.g.s, "rules", cut, with); err != nil {
				t.Fatal(err)
			}
			for range 400 {
				if err := m.step(); err != nil {
					found = true
					break
				}
			}
		}
		if !found {
			t.Errorf("nothing broke without %q", cut)
		}
	}
}

type rulesModel struct {
	g      *stage
	rand   *rand.Rand
	hosts  []*author
	asleep map[*author]bool
	files  int
	lost   bool // the store lost the rules, and nobody told any yet
	done   []string
	seen   map[string]int
}

func newRulesModel(t *testing.T, seed uint64) *rulesModel {
	g := newStage(t)
	g.open()
	m := &rulesModel{g: g, rand: rand.New(rand.NewPCG(seed, 7)), asleep: map[*author]bool{}, seen: map[string]int{}}
	for _, name := range []string{"ber", "ham", "dus"} {
		m.hosts = append(m.hosts, g.author(name, "file0"))
	}
	return m
}

func (m *rulesModel) current() store.Ruling {
	r, _, err := m.g.s.RulesOf(m.g.ctx, "src")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		m.g.t.Fatal(err)
	}
	return r
}

func (m *rulesModel) step() error {
	a := m.hosts[m.rand.IntN(len(m.hosts))]
	before := m.current()
	m.g.pass(time.Duration(m.rand.IntN(3)) * time.Second)
	switch n := m.rand.IntN(100); {
	case n < 8:
		m.files++
		a.edits(fmt.Sprintf("file%d", m.files))
		return m.speaks(a, "is edited")
	case n < 12:
		a.edits(m.hosts[m.rand.IntN(len(m.hosts))].file)
		return m.speaks(a, "gets another's file")
	case n < 16:
		m.files++
		a.wants = before.Version + int64(m.rand.IntN(3)) - 1
		a.edits(fmt.Sprintf("file%d", m.files))
		err := m.speaks(a, fmt.Sprintf("is edited and asks for v%d", a.wants))
		a.wants = 0
		return err
	case n < 22:
		a.fresh = true
		return m.speaks(a, "restarts")
	case n < 25:
		a.reinstalled()
		return m.speaks(a, "is installed anew")
	case n < 30:
		m.asleep[a] = !m.asleep[a]
		m.note("%s sleeps: %v", a.host, m.asleep[a])
	case n < 33:
		m.g.flush()
		m.g.memory = store.ReapMemory{}
		m.g.tick()
		if m.rand.IntN(2) == 0 { // a host that holds something makes it a hold of its own
			m.g.must(m.g.client.HSet(m.g.ctx, "reaper", "until", m.g.c.us/1000+8000, "reason", "the store is empty").Err())
		}
		m.lost = true
		m.note("the store is emptied")
	case n < 36:
		m.g.pass(12 * time.Second)
		m.note("time goes by")
	case n < 40:
		v, already, err := m.g.s.AcceptRules(m.g.ctx, "src", a.host)
		var hold *store.HoldError
		if errors.As(err, &hold) {
			m.note("accept %s waits", a.host)
			return nil
		}
		m.g.must(err)
		m.note("accept %s: %v %v", a.host, v, already)
		if now := m.current(); !already {
			m.seen["accepted"]++
			if now.By != a.host || now.Version != before.Version+1 {
				return fmt.Errorf("accepted %v of %s, was %v", now, a.host, before)
			}
		}
	default:
		if !m.asleep[a] {
			return m.speaks(a, "polls")
		}
	}
	return nil
}

func (m *rulesModel) note(format string, args ...any) {
	m.done = append(m.done, fmt.Sprintf(format, args...))
}

// onHold reads what the store says of itself.
func (m *rulesModel) onHold() bool {
	until, err := m.g.client.HGet(m.g.ctx, "reaper", "until").Int64()
	return err != nil || m.g.c.us/1000 < until
}

// speaks is one offer and one poll of a host, and what must be true of it.
func (m *rulesModel) speaks(a *author, why string) error {
	before, memory, agreed, fresh, wants := m.current(), a.memory, a.agreed, a.fresh, a.wants
	hold := m.onHold()
	answer := a.offers()
	now := m.current()
	m.note("%s %s (%s, hold %v): %s, %v becomes %v", a.host, why, a.file, hold, answer, before, now)
	if now != before {
		switch restored := memory.Version > 0 && (before.Version == 0 || hold && (memory.Version > before.Version || memory.Version == before.Version && memory.At > before.At)); {
		case restored && now == memory:
			m.seen["remembered"]++
		case hold:
			return fmt.Errorf("in a hold %v replaced %v", now, before)
		case now.By != a.host || now.Text != a.file:
			return fmt.Errorf("%v is in force, and %s said %s", now, a.host, a.file)
		case before.Version == 0 && !restored:
			m.seen["first"]++
		case wants > max(before.Version, memory.Version*boolTo(restored)):
			m.seen["won by version"]++
		case fresh && restored && agreed.Version == memory.Version && agreed.Digest == memory.Digest, fresh && agreed.Version == before.Version && agreed.Digest == before.Digest:
			m.seen["won by base"]++
		default:
			return fmt.Errorf("%v replaced %v: made from %v", now, before, agreed)
		}
	}
	if m.lost && memory.Version > 0 && now.Version < memory.Version {
		return fmt.Errorf("%s remembers %v, and %v is in force", a.host, memory, now)
	}
	m.lost = m.lost && now.Version == 0
	if answer == store.RulesDiffer {
		m.seen["differs"]++
	}
	return m.announces(a, now)
}

func boolTo(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// announces has a host poll by what it takes to be in force: taken, if it is.
func (m *rulesModel) announces(a *author, now store.Ruling) error {
	by := a.memory
	if m.rand.IntN(4) == 0 { // it asked a while ago
		by = m.hosts[m.rand.IntN(len(m.hosts))].memory
	}
	if by.Version == 0 {
		return nil
	}
	set, err := m.g.s.Announced(m.g.ctx, "src")
	m.g.must(err)
	r, err := m.g.s.Announce(m.g.ctx, store.Poll{Source: "src", Poller: a.host, Rules: by.ID(), Version: set.Version, GoneAfter: time.Second,
		Upsert: map[string]string{"s1": by.Text}, Info: store.SourceInfo{Type: "t", URL: "http://in"}})
	m.g.must(err)
	if taken := !r.Stale; taken != (by.ID() == now.ID()) {
		return fmt.Errorf("announced by %v while %v is in force: %v", by, now, taken)
	}
	if r.Stale {
		m.seen["refused"]++
		return nil
	}
	m.seen["announced"]++
	return nil
}
