package store_test

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

// What hosts share in the model: a little of two pools, so that types meet there.
var (
	modelPools = map[string]stream.Amounts{"a": {"cpu": 2000, "gpu": 1000}, "c": {"cpu": 3000, "gpu": 2000}, "d": {"cpu": 1000}}
	modelUses  = map[string]map[string]stream.Amounts{
		"enc": {"a": {"cpu": 1000, "gpu": 1000}, "c": {"cpu": 1000, "gpu": 1000}, "d": {"cpu": 1000}},
		"rec": {"a": {"cpu": 1500}, "c": {"cpu": 1500}, "d": {"cpu": 500}},
	}
)

// shares gives a machine its pools, and what its services use of them.
func (m *machine) shares() {
	m.pools = modelPools[m.name]
	m.offers = slices.Clone(m.offers)
	for i := range m.offers {
		m.offers[i].Uses = modelUses[m.offers[i].Type][m.name]
	}
}

// changePools is a hand in what a host has and uses, or another file of it.
func (w *world) changePools() {
	if w.down {
		return
	}
	m := w.machine()
	kind := slotTypes[w.rng.IntN(len(slotTypes))]
	sizes := []string{"", "nonsense", `{"cpu":2000}`, `{"cpu":2500,"gpu":1000}`, `{"cpu":4000,"gpu":3000}`, `{ "cpu" : 3000 , "gpu":1000}`, `{"cpu":0}`}
	uses := []string{"", "[]", `{"cpu":1000}`, `{"cpu":500,"gpu":500}`, `{"gpu":1000}`, `{"cpu":2000}`, `{"tape":1}`}
	n := w.rng.IntN(len(sizes))
	switch w.rng.IntN(4) {
	case 0:
		w.byHand("host:"+m.name, "pools", sizes[n])
	case 1:
		w.byHand("service:"+kind+":"+m.name, "uses", uses[n])
	case 2: // without a limit, as capacity goes by used alone
		w.byHand("service:rec:d", "used", "0")
	case 3:
		w.note("%s has another file", m.id)
		m.pools, _ = stream.DecodeAmounts(sizes[n])
		for i := range m.offers {
			m.offers[i].Uses, _ = stream.DecodeAmounts(uses[n])
		}
		m.kill()
		w.boots(m, w.rng.Int64N(second))
	}
}

// byHand writes a field of a hash that is there, or deletes it.
func (w *world) byHand(at, field, value string) {
	w.torn = true
	w.tears++
	w.do("a hand: "+at+" "+field+" "+value, func() error {
		if n, err := w.client.Exists(w.ctx, at).Result(); err != nil || n == 0 {
			return err
		}
		if value == "" {
			return w.client.HDel(w.ctx, at, field).Err()
		}
		return w.client.HSet(w.ctx, at, field, value).Err()
	})
}

// sameFiles undoes what was changed: at rest there is room for some.
func (w *world) sameFiles() {
	for _, m := range w.machines {
		m.shares()
	}
}

// shared is what the pools of a host have and what slots, by type, take of them; not
// known where a hand left nonsense.
func (p picture) shared(host string, slots func(t string) int) (sizes, taken stream.Amounts, known bool) {
	sizes, err := stream.DecodeAmounts(p["host:"+host]["pools"])
	known, taken = err == nil, stream.Amounts{}
	for _, t := range slotTypes {
		uses, err := stream.DecodeAmounts(p["service:"+t+":"+host]["uses"])
		known = known && err == nil
		for name, amount := range uses {
			taken[name] += amount * stream.Amount(slots(t))
		}
	}
	return sizes, taken, known
}

// checkPools checks I2 of each pool: place raises none above its size.
func (w *world) checkPools(p picture, host string, used map[string]int, what string) {
	sizes, taken, known := p.shared(host, func(t string) int { return used[t] })
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		at := "pool " + name + " of " + host
		if known && taken[name] > sizes[name] && int(taken[name]) > w.over[at] && strings.Contains(what, ": place") {
			w.broken("I2: place raised %s to %s of %s", at, taken[name], sizes[name])
		}
		w.over[at] = int(taken[name])
	}
}

// strain is the load of the fullest pool after one slot more; false for no room ever.
func (p picture) strain(t, host string, slots func(t string) int) (most int, ok bool) {
	sizes, taken, known := p.shared(host, slots)
	uses, err := stream.DecodeAmounts(p["service:"+t+":"+host]["uses"])
	if !known || err != nil {
		return 0, false
	}
	for name, amount := range uses {
		if sizes[name] == 0 || amount > sizes[name] {
			return 0, false
		}
		most = max(most, int(math.Ceil(float64(taken[name]+amount)*1e6/float64(sizes[name]))))
	}
	return most, true
}

// used reads what a service says of itself.
func (p picture) used(host string) func(t string) int {
	return func(t string) int {
		n, _ := strconv.Atoi(p["service:"+t+":"+host]["used"])
		for row := range p["slots:"+host] {
			if strings.HasPrefix(row, "+"+t+"|") {
				n++ // a sidecar has no capacity
			}
		}
		return n
	}
}

// TestModelFindsAFigureThatDrifts shows that the random model sees a pool that is
// reckoned by used alone, which a hand may set, or by rows alone, which it may take.
func TestModelFindsAFigureThatDrifts(t *testing.T) {
	t.Parallel()
	for name, instead := range map[string]string{"by used": "(whole(v[2]) or 0)", "by rows": "held"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			steps := 0
			for seed := range uint64(8) {
				m := modelRun{seed: seed + 1, ops: epoch, alter: func(w *world) error {
					w.also = func() { w.byHand("service:rec:d", "used", "0") }
					if name == "by rows" {
						w.also = func() { w.do("a hand: DEL slots:d", func() error { return w.client.Del(w.ctx, "slots:d").Err() }) }
					}
					for script, text := range store.ScriptTexts(w.store) {
						if strings.Contains(text, "math.max(whole(v[2]) or 0, held)") {
							if err := store.Alter(w.store, script, "math.max(whole(v[2]) or 0, held)", instead); err != nil {
								return err
							}
						}
					}
					return nil
				}}
				w := m.run(t)
				if w.err != nil && strings.Contains(w.err.Error(), "place raised pool") {
					t.Logf("found in %d steps: %v", steps+w.ops, w.err)
					return
				}
				steps += w.ops
			}
			t.Fatalf("nothing was found in %d steps", steps)
		})
	}
}
