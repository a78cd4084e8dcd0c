package chaos

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
)

var seed = flag.Uint64("chaos.seed", 0, "of the random faults; 0: the time")

// settle is how long after a cut its host is left alone: it has two beats to
// hear what it lost, and this machine may be busy.
const settle = 2*beat + time.Second

// misfortune does random things to a network.
type misfortune struct {
	*network
	rng     *rand.Rand
	others  []*realrun.Host // beside control: another that polls and decides
	pool    int             // streams there are
	free    map[*realrun.Host]time.Time
	storeAt time.Time // the store is left alone until then
	undo    []undo
	cuts    []cut
	done    map[string]int
}

// undo is the end of a fault that lasts.
type undo struct {
	at time.Time
	do func() bool // false: not yet
}

// cut is a time in which a host may run what others have too.
type cut struct {
	host     string
	from, to time.Time
}

func TestRandomFaults(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run it again with -chaos.seed %d", *seed)
	pool := or(40, 200)
	workers := or(4, 6)
	n := begin(t, plan{
		workers: workers, capacity: pool*2/workers + 1, streams: pool / 2,
		redis: []string{"--appendonly", "yes", "--appendfsync", "everysec"},
	})
	m := &misfortune{
		network: n, rng: rand.New(rand.NewPCG(*seed, 0)), pool: pool, free: map[*realrun.Host]time.Time{}, done: map[string]int{},
		others: []*realrun.Host{n.control, realrun.Start(t, "control2", n.redis.URL(), lease("keep")+n.listing(plan{}))},
	}
	for until := time.Now().Add(or(45*time.Second, 15*time.Minute)); time.Now().Before(until); {
		m.strike()
		n.hold(time.Duration(200+m.rng.IntN(800)) * time.Millisecond)
		m.undoDue(time.Now())
	}
	m.repair()
	live := pool * 3 / 4
	n.list(live)
	m.rest(live)
	n.hold(ttl)
	m.rest(live)
	m.judge()
	t.Logf("faults: %v", m.done)
	// A slot without a child may be one that was not wanted just then.
	note(fmt.Sprintf("random faults, up to %d slots (doubles: declared cuts alone)", pool), nil, lengths(n.watch.Doubles()))
}

// strike does one thing at random.
func (m *misfortune) strike() {
	m.t.Helper()
	kinds := []struct {
		name  string
		often int
		do    func() bool
	}{
		{"list", 4, m.relist},
		{"crash", 3, m.crashSome},
		{"kill runner", 3, func() bool { return m.runner((*realrun.Host).Kill, 0, 9) }},
		{"kill machine", 2, func() bool { return m.runner((*realrun.Host).KillMachine, 0, 9) }},
		{"freeze", 2, m.freeze},
		{"cut", 3, m.cut},
		{"term", 1, func() bool { return m.leave(syscall.SIGTERM) }},
		{"detach", 2, func() bool { return m.leave(syscall.SIGUSR1) }},
		{"reload", 2, m.reload},
		{"scheduler", 1, m.killScheduler},
		{"flush", 1, m.flush},
		{"store down", 1, m.storeDown},
		{"store frozen", 1, m.storeFrozen},
	}
	total := 0
	for _, k := range kinds {
		total += k.often
	}
	pick := m.rng.IntN(total)
	for _, k := range kinds {
		if pick -= k.often; pick < 0 {
			if k.do() {
				m.done[k.name]++
			}
			return
		}
	}
}

// seconds is a random time.
func (m *misfortune) seconds(from, to int) time.Duration {
	return time.Duration(from)*time.Second + time.Duration(m.rng.Int64N(int64(to-from)*int64(time.Second)))
}

func (m *misfortune) later(d time.Duration, do func() bool) {
	m.undo = append(m.undo, undo{time.Now().Add(d), do})
}

// victim is a worker to which nothing happens just now.
func (m *misfortune) victim() *realrun.Host {
	h := m.workers[m.rng.IntN(len(m.workers))]
	if time.Now().Before(m.free[h]) {
		return nil
	}
	return h
}

// occupied keeps a host from other faults until release.
func (m *misfortune) occupied(h *realrun.Host) { m.free[h] = time.Now().Add(time.Hour) }

func (m *misfortune) release(h *realrun.Host) { m.free[h] = time.Now().Add(settle) }

func (m *misfortune) undoDue(now time.Time) {
	m.undo = slices.DeleteFunc(m.undo, func(u undo) bool { return !now.Before(u.at) && u.do() })
}

// repair undoes everything that lasts.
func (m *misfortune) repair() {
	m.t.Helper()
	realtest.Await(m.t, time.Minute, "everything is repaired", func() bool {
		m.undoDue(time.Now().Add(time.Hour))
		return len(m.undo) == 0
	})
}

// rest waits until every wanted slot has one child and the records agree.
func (m *misfortune) rest(live int) {
	m.t.Helper()
	m.awaitRest(live, 2*time.Minute, fmt.Sprintf("%d slots run by the records", live))
	var last string
	ok := func() bool {
		last = m.disagreement(live)
		return last == ""
	}
	limit := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(limit) {
			m.t.Fatalf("at rest: %s", last)
		}
		m.hold(100 * time.Millisecond)
	}
}

// disagreement says how children, slots:<host> and used differ.
func (m *misfortune) disagreement(live int) string {
	alive := m.watch.Alive()
	if len(alive) != live {
		return fmt.Sprintf("%d children for %d slots", len(alive), live)
	}
	records := m.instances()
	byHost := map[string]int{}
	for _, l := range alive {
		v, ok := records[l.Stream]
		if !ok || v.Host != l.Host || v.Token != l.Token {
			return fmt.Sprintf("%s lives on %s under %s, the record says %+v", l.Stream, l.Host, l.Token, v)
		}
		byHost[l.Host]++
	}
	s, ok := m.status()
	if !ok {
		return "no status"
	}
	for _, h := range s.Hosts {
		held := m.client.ZCard(m.t.Context(), "slots:"+h.Host).Val()
		for _, v := range h.Services {
			if v.Type == "work" && (v.Used != byHost[h.Host] || int(held) != v.Used) {
				return fmt.Sprintf("%s has %d children, %d in slots, %d used", h.Host, byHost[h.Host], held, v.Used)
			}
		}
	}
	return ""
}

// judge fails the test for every slot that ran twice outside a declared cut.
func (m *misfortune) judge() {
	m.t.Helper()
	hosts := map[string]string{}
	for _, l := range m.watch.Lives() {
		hosts[l.Token] = l.Host
	}
	for _, d := range m.watch.Doubles() {
		if !slices.ContainsFunc(m.cuts, func(c cut) bool {
			concerned := slices.ContainsFunc(d.Tokens, func(token string) bool { return hosts[token] == c.host })
			return concerned && !d.From.Before(c.from) && !d.To.After(c.to.Add(settle))
		}) {
			m.t.Errorf("%v ran twice on %s and %s from %v to %v; cuts were %v", d, hosts[d.Tokens[0]], hosts[d.Tokens[1]], d.From, d.To, m.cuts)
		}
	}
}
