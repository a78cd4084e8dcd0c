package store_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

// fault is something that goes wrong, or that people do.
type fault struct {
	name   string
	weight int
	do     func(*world)
}

var faultList = []fault{
	{"publish", 60, (*world).publishOrEnd},
	{"crash", 10, (*world).crashRunner},
	{"freeze", 8, (*world).freezeRunner},
	{"suspend", 4, (*world).suspendMachine},
	{"leave", 4, (*world).leaveHost},
	{"rival", 3, (*world).startRival},
	{"giveup", 20, (*world).giveUp},
	{"move", 20, (*world).move},
	{"outage", 2, (*world).outage},
	{"cut", 12, (*world).cutSome},
	{"scheduler", 8, (*world).crashScheduler},
	{"operator", 14, (*world).operate},
	{"copies", 10, (*world).another},
	{"sidecar", 6, (*world).besides},
	{"scriptflush", 5, func(w *world) { w.do("SCRIPT FLUSH", func() error { return w.client.ScriptFlush(w.ctx).Err() }) }},
	{"clock", 3, (*world).stepClock},
	{"backup", 4, (*world).takeBackup},
	{"restore", 2, (*world).restore},
	{"restart", 1, (*world).restart},
	{"flushall", 2, (*world).flushAll},
	{"hand", 8, (*world).takeAway},
	{"pools", 8, (*world).changePools},
}

// chaos lets faults happen, some each ten seconds, until the world is calm.
func (w *world) chaos() {
	if w.calm || w.err != nil {
		return
	}
	total := 0
	for _, f := range faultList {
		total += f.weight
	}
	if w.also != nil && !w.down {
		w.torn = true
		w.tears++
		w.also()
	}
	p := w.rng.IntN(total)
	for _, f := range faultList {
		if p < f.weight {
			if !w.faults[f.name] {
				f.do(w)
			}
			break
		}
		p -= f.weight
	}
	w.at(w.now+w.rng.Int64N(3*second), w.chaos)
}

// do is a step that somebody else than an actor does at the store.
func (w *world) do(what string, f func() error) {
	_, err := exec(w, what, func(context.Context) (struct{}, error) { return struct{}{}, f() })
	if err != nil {
		w.fail(fmt.Errorf("%s: %w", what, err))
	}
}

func (w *world) keys() []string {
	var keys []string
	for key := range w.plan {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (w *world) publishOrEnd() {
	keys := w.keys()
	key := keys[w.rng.IntN(len(keys))]
	if w.live[key] {
		delete(w.live, key)
	} else {
		w.live[key] = true
	}
	w.note("publisher of %s: on air %v", key, w.live[key])
}

// another has a slot of copies have more or fewer of them, apart or not.
func (w *world) another() {
	key := []string{"p1", "s3/p"}[w.rng.IntN(2)]
	slot := w.plan[key].Chain[0]
	a := w.plan[key]
	a.Items = stream.Items{slot: {Copies: 1 + w.rng.IntN(maxCopies), Apart: []string{stream.ApartHost, stream.LabelSite, ""}[w.rng.IntN(3)]}}.Canonical()
	w.plan[key] = a
	w.note("%s/%s is to be %s", key, slot, a.Items.Encode())
}

func (w *world) machine() *machine { return w.machines[w.rng.IntN(len(hostNames))] }

// boots starts a runner after a while if none runs then.
func (w *world) boots(m *machine, after int64) {
	w.at(w.now+after, func() {
		if m.runner == nil && (m.id != "c-rival" || !w.calm) {
			w.note("runner of %s starts", m.id)
			m.boot()
		}
	})
}

func (w *world) crashRunner() {
	m := w.machine()
	w.note("runner of %s dies", m.id)
	m.kill()
	w.boots(m, w.rng.Int64N(25*second))
}

func (w *world) freezeRunner() {
	m := w.machine()
	if m.runner == nil {
		return
	}
	until := w.now + w.rng.Int64N(30*second)
	w.note("runner of %s freezes until %.3f", m.id, float64(until)/1e6)
	m.runner.life.frozen, m.runner.hand.frozen = until, until
}

func (w *world) suspendMachine() {
	m := w.machine()
	until := w.now + w.rng.Int64N(40*second)
	w.note("machine %s suspends until %.3f", m.id, float64(until)/1e6)
	m.paused = true
	if m.runner != nil {
		m.runner.life.frozen, m.runner.hand.frozen = until, until
	}
	w.at(until, func() { m.paused = false; m.pass(w.now) })
}

func (w *world) leaveHost() {
	m := w.machine()
	if m.runner == nil {
		return
	}
	w.note("%s leaves", m.id)
	m.runner.leaving = true
	m.runner.again(0)
	w.boots(m, 10*second+w.rng.Int64N(20*second))
	w.at(w.now+9*second, func() { m.kill() })
}

func (w *world) startRival() {
	m := w.machines[len(w.machines)-1]
	if m.runner == nil {
		w.note("another machine calls itself c")
		m.boot()
		w.at(w.now+w.rng.Int64N(60*second), func() { w.note("the other c dies"); m.kill() })
	}
}

func (w *world) giveUp() {
	m := w.machine()
	if m.runner == nil {
		return
	}
	if all := m.alive(); len(all) > 0 {
		s := all[w.rng.IntN(len(all))]
		w.note("%s gives up %s/%s", m.id, s.Key, s.Instance)
		m.runner.box = append(m.runner.box, task{s.Reservation, "giveup"})
	}
}

// move asks that something that runs go elsewhere.
func (w *world) move() {
	m := w.machine()
	all := m.alive()
	if w.down || len(all) == 0 {
		return
	}
	s := all[w.rng.IntN(len(all))]
	target := []string{"", "", hostNames[w.rng.IntN(len(hostNames))]}[w.rng.IntN(3)]
	w.quietly("move "+s.Key+"/"+s.Instance+" to "+target, func() error {
		if w.words && target != "" && w.now%2 == 0 {
			_, _, err := w.store.MoveAnyway(w.ctx, s.Key, s.Instance, target, 20*time.Second)
			return err
		}
		_, err := w.store.Move(w.ctx, s.Key, s.Instance, target, 20*time.Second)
		return err
	})
}

func (w *world) outage() {
	if w.down {
		return
	}
	until := w.now + w.rng.Int64N(40*second)
	w.note("the store is out of reach until %.3f", float64(until)/1e6)
	w.down = true
	w.at(until, func() { w.down = false })
}

func (w *world) cutSome() {
	until := w.now + w.rng.Int64N(40*second)
	switch w.rng.IntN(4) {
	case 0:
		s := w.schedulers[w.rng.IntN(len(w.schedulers))]
		if s == w.guard {
			return
		}
		w.note("%s is cut off until %.3f", s.name, float64(until)/1e6)
		s.cut = true
		w.at(until, func() { s.cut = false })
	default:
		m := w.machine()
		w.note("%s is cut off until %.3f", m.id, float64(until)/1e6)
		m.cut = true
		w.at(until, func() { m.cut = false })
	}
}

func (w *world) crashScheduler() {
	s := w.schedulers[w.rng.IntN(len(w.schedulers))]
	if s == w.guard {
		return
	}
	if w.rng.IntN(2) == 0 {
		until := w.now + w.rng.Int64N(20*second)
		s.ticks.frozen, s.works.frozen = until, until
		w.note("%s freezes until %.3f", s.name, float64(until)/1e6)
		return
	}
	if s.ticks.dead {
		return
	}
	w.note("%s dies", s.name)
	s.kill()
	w.at(w.now+w.rng.Int64N(10*second), s.boot)
}

func (w *world) operate() {
	if w.down {
		return
	}
	host := hostNames[w.rng.IntN(len(hostNames))]
	keys := w.keys()
	key := keys[w.rng.IntN(len(keys))]
	switch w.rng.IntN(5) {
	case 0:
		state := []stream.HostState{stream.Up, stream.Up, stream.Cordoned, stream.Draining}[w.rng.IntN(4)]
		w.quietly("cordon "+host+" "+string(state), func() error { return w.store.Cordon(w.ctx, host, state) })
	case 1:
		n := w.rng.IntN(4)
		w.quietly("capacity of "+host+" "+strconv.Itoa(n), func() error { return w.store.SetCapacity(w.ctx, "enc", host, &n) })
	case 2:
		held := []string{"", "", "1"}[w.rng.IntN(3)]
		w.quietly("override "+key+" held="+held, func() error { return w.store.Override(w.ctx, key, map[string]string{"held": held}) })
	case 3:
		w.quietly("add "+key, func() error { return w.store.AddStream(w.ctx, key, w.plan[key]) })
	case 4:
		w.quietly("rm "+key, func() error { _, err := w.store.Retract(w.ctx, store.ManualSource, key); return err })
	}
}

// quietly is an operator's step; that it may be refused is its own business.
func (w *world) quietly(what string, f func() error) {
	_, _ = exec(w, what, func(context.Context) (struct{}, error) { return struct{}{}, f() })
}

func (w *world) stepClock() {
	step := 600*ms + w.rng.Int64N(60*second)
	switch w.rng.IntN(4) {
	case 0:
		step = w.rng.Int64N(400 * ms)
	case 1:
		step = 600*ms + w.rng.Int64N(4*second)
	}
	if w.rng.IntN(2) == 0 {
		step = -step
	}
	w.note("the server's clock steps by %.3f s", float64(step)/1e6)
	w.skew += step
}

func (w *world) takeBackup() {
	if w.down {
		return
	}
	w.do("backup", func() error {
		keys, err := w.client.Keys(w.ctx, "*").Result()
		if err != nil {
			return err
		}
		w.backup, w.backupTorn = map[string]string{}, w.torn
		for _, key := range keys {
			if strings.HasPrefix(key, "test:") || key == "events" {
				continue
			}
			if w.backup[key], err = w.client.Dump(w.ctx, key).Result(); err != nil {
				return err
			}
		}
		return nil
	})
}

// restore is a server that comes back with the data of the last backup.
func (w *world) restore() {
	if w.down || w.backup == nil {
		return
	}
	for _, m := range w.machines {
		for _, s := range m.alive() {
			if w.excused(m, s) {
				s.setBack = w.now + 20*second // the longest lease and two beats, and on the way
			}
		}
	}
	if w.backupTorn {
		w.torn = true
		w.tears++
	}
	w.do("the server comes back with older data", func() error {
		if err := w.client.FlushAll(w.ctx).Err(); err != nil {
			return err
		}
		for key, text := range w.backup {
			if err := w.client.Restore(w.ctx, key, 0, text).Err(); err != nil {
				return err
			}
		}
		return w.newLife()
	})
}

// restart is a server that comes back with the data it had.
func (w *world) restart() {
	if !w.down {
		w.do("the server restarts", w.newLife)
	}
}

func (w *world) newLife() error {
	w.lives++
	w.clockAt = 0
	if err := w.client.ScriptFlush(w.ctx).Err(); err != nil {
		return err
	}
	return w.setClock()
}

// indexes are the keys that are derived of others, that only say where to look, or
// that their pollers say again.
var indexes = []string{
	"pending:enc", "pending:rec", "outbox", "slots:a", "slots:b", "slots:c", "slots:d", "hosts:lease", "hosts", "types", "types:wanted",
	"stream:s1:enc", "stream:t1:rec", "stream:s3/x:cut",
	"classes:enc", "classes:rec", "streams", "sources", "dirty", "requeue", "moves", "missing:src", "announced:src", "draining", "load:",
}

// takeAway is a hand that removes an index, or some of its rows.
func (w *world) takeAway() {
	if w.down {
		return
	}
	at := indexes[w.rng.IntN(len(indexes))]
	if at == "load:" {
		at = "load:" + slotTypes[w.rng.IntN(2)] + ":" + []string{anyClass.ID(), someClass.ID()}[w.rng.IntN(2)]
	}
	w.torn = true
	w.tears++
	one := w.rng.IntN(2) == 0
	pick := w.rng.Int64N(1000)
	w.do("a hand takes away "+map[bool]string{true: "a row of ", false: ""}[one]+at, func() error {
		if !one {
			return w.client.Del(w.ctx, at).Err()
		}
		return removeRow.Run(w.ctx, w.client, nil, at, pick).Err()
	})
}

// removeRow removes one row of a set, a sorted set or a hash, the same for the
// same number.
var removeRow = redis.NewScript(`
local at, pick = ARGV[1], tonumber(ARGV[2])
local kind = redis.call('TYPE', at).ok
local list = kind == 'set' and redis.call('SMEMBERS', at) or kind == 'zset' and redis.call('ZRANGE', at, 0, -1)
  or kind == 'hash' and redis.call('HKEYS', at) or {}
if #list == 0 then return 0 end
table.sort(list)
local row = list[pick % #list + 1]
return redis.call(kind == 'set' and 'SREM' or kind == 'zset' and 'ZREM' or 'HDEL', at, row)`)

// flushAll empties the store, by an operator or by a restart without
// persistence. That no scheduler at all remembers it is the stated limit of
// the quick first start, so one does.
func (w *world) flushAll() {
	var wise *scheduler
	for _, s := range w.schedulers {
		if !s.ticks.dead && !s.cut && s.ticks.frozen <= w.now && s.memory.Epoch != "" {
			wise = s
		}
	}
	if w.down || wise == nil {
		return
	}
	w.guard = wise
	w.do("FLUSHALL", func() error {
		if err := w.client.FlushAll(w.ctx).Err(); err != nil {
			return err
		}
		w.clockAt = 0
		if w.rng.IntN(2) == 0 {
			return w.newLife()
		}
		return w.setClock()
	})
}

// heal ends every fault.
func (w *world) heal() {
	w.note("all faults end")
	w.calm, w.down = true, false
	w.sameFiles()
	for _, m := range w.machines {
		m.cut, m.paused = false, false
		m.pass(w.now)
		if r := m.runner; r != nil {
			w.thaw(r.life)
			w.thaw(r.hand)
		} else if m.id != "c-rival" {
			w.boots(m, 0)
		}
	}
	w.machines[len(w.machines)-1].kill()
	for _, s := range w.schedulers {
		s.cut = false
		w.thaw(s.ticks)
		w.thaw(s.works)
		if s.ticks.dead {
			s.boot()
		}
	}
}

func (w *world) thaw(a *actor) {
	if a.frozen > w.now {
		a.frozen = 0
		w.at(w.now, a.resume)
	}
}
