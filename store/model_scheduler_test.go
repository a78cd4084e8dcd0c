package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// scheduler is one of several that race for the same work.
type scheduler struct {
	w      *world
	name   string
	cut    bool
	memory store.ReapMemory
	lastAt int64 // when memory.Expected was told; 0: never
	// It ticks apart from its other work, which waits for lost answers.
	ticks, works *actor
	mender       *store.Mender
	tears        int               // of the world, when the rounds since began
	rounds       int               // whole ones over all records
	targets      map[string]string // <key>|<instance> of successors → where they go
}

func (s *scheduler) boot() {
	s.memory, s.lastAt = store.ReapMemory{TTL: 10 * time.Second, Beat: 2 * time.Second}, 0
	s.mender, s.rounds = s.w.store.Mender(), 0
	cut := func() bool { return s.w.down || s.cut }
	s.ticks = s.w.spawn(s.name, cut, s.tick)
	s.works = s.w.spawn(s.name, cut, s.work)
}

func (s *scheduler) kill() {
	s.ticks.kill()
	s.works.kill()
}

func (s *scheduler) work(a *actor) {
	w := a.w
	for turn := 0; ; turn++ {
		began := w.now
		_, _ = ask(a, "requeuedue", func(ctx context.Context) (int, error) { return w.store.RequeueDue(ctx, 10) })
		s.reconcile(a)
		s.place(a)
		if w.jobs && turn%2 == 0 {
			s.placeJobs(a)
		}
		s.outbox(a)
		if turn%2 == 0 {
			s.moves(a)
		}
		if turn%20 == 7 {
			s.upkeep(a)
		}
		a.until(max(w.now+1*ms, began+400*ms+w.rng.Int64N(200*ms)))
	}
}

// upkeep makes what is derived agree with the records; a second whole round after
// a hand tore something mends what the first began, but for hosts that were given
// something meanwhile.
func (s *scheduler) upkeep(a *actor) {
	w, tears := a.w, a.w.tears
	if tears != s.tears {
		s.tears, s.rounds = tears, 0
	}
	hosts, err := ask(a, "hosts", func(ctx context.Context) ([]store.HostRecord, error) { return w.store.Hosts(ctx) })
	if err != nil {
		return
	}
	var held store.Held
	if !w.noMend {
		m, err := ask(a, "mend", func(ctx context.Context) (store.Mended, error) { return s.mender.All(ctx, 10*time.Second) })
		if err != nil {
			return
		}
		held = m.Held
	}
	r, err := ask(a, "reindex", func(ctx context.Context) (store.Reindexed, error) { return w.store.ReindexHosts(ctx, hosts, nil, held) })
	if err != nil || len(r.Refused) > 0 {
		return
	}
	if s.rounds++; s.rounds >= 2 && tears == w.tears && r.Short == 0 {
		w.torn = false
	}
}

func (s *scheduler) tick(a *actor) {
	w := a.w
	for sure := false; ; {
		m := s.memory
		m.Unsure = !sure
		if s.lastAt != 0 {
			m.Expected += (w.now - s.lastAt) / ms
		} else {
			m.Expected = 0
		}
		sent := w.now
		r, err := ask(a, "reap", func(ctx context.Context) (store.ReapResult, error) { return w.store.Reap(ctx, m) })
		if err == nil && r.Doubt {
			sure = true // ask again at once, and mean it
			continue
		}
		sure = false
		if err == nil {
			// An answer that took long says little about the clock.
			s.memory.Epoch, s.memory.Expected, s.lastAt = r.Epoch, r.Now, w.now
			if w.now-sent > 300*ms {
				s.lastAt = 0
			}
			if w.guard == s {
				w.guard = nil
			}
			if r.More {
				continue
			}
		}
		a.until(max(w.now+1*ms, sent+450*ms+w.rng.Int64N(100*ms)))
	}
}

// reconcile wants what is announced.
func (s *scheduler) reconcile(a *actor) {
	w := a.w
	marks, err := ask(a, "dirty", func(ctx context.Context) ([]store.Mark, error) { return w.store.Dirty(ctx, 3) })
	if err != nil {
		return
	}
	for _, m := range marks {
		declared, err := ask(a, "declared "+m.Key, func(ctx context.Context) (store.Declared, error) { return w.store.Declared(ctx, m.Key) })
		if err != nil {
			return
		}
		want := store.Want{Mark: m, Held: declared.Overrides.Held, Fields: map[string]string{"source": "", "source:url": "u"}}
		for _, name := range []string{"src", store.ManualSource} { // the later wins
			if by, ok := declared.BySource[name]; ok {
				want.Wanted, want.Chain, want.Items, want.Priority, want.Fields["source"] = true, by.Chain, by.Items, by.Priority, name
			}
		}
		cmds, err := ask(a, "want "+m.Key, func(ctx context.Context) (store.Commands, error) { return w.store.Want(ctx, want) })
		if err != nil {
			continue
		}
		slices.SortFunc(cmds.Stops, func(a, b store.Reservation) int { return strings.Compare(a.Instance, b.Instance) })
		for _, v := range cmds.Stops {
			w.send(task{v, "stop"})
		}
		for _, p := range cmds.Parts {
			s.part(a, p)
		}
	}
}

// part has a copy move away from another, if there is room.
func (s *scheduler) part(a *actor, p store.Parting) {
	w := a.w
	may, err := ask(a, "evict? "+p.Key, func(ctx context.Context) (store.Eviction, error) {
		return w.store.MayEvict(ctx, store.Move{Reservation: p.Reservation, Target: "*"}, classesFor(p.Key))
	})
	if err != nil || may != store.Asked {
		return
	}
	_, _ = ask(a, "part "+p.Key, func(ctx context.Context) (store.Move, error) { return w.store.Part(ctx, p, 20*time.Second) })
	w.seen["a copy is to move away from another"]++
}

// moves carries handovers on: the successor is put in line, then it takes the
// place of the other. Half of them are by eviction instead.
func (s *scheduler) moves(a *actor) {
	w := a.w
	list, err := ask(a, "moves", func(ctx context.Context) ([]store.Move, error) { return w.store.Moves(ctx) })
	if err != nil {
		return
	}
	s.targets = map[string]string{}
	for _, m := range list {
		r, err := ask(a, "record "+m.Key, func(ctx context.Context) (store.Record, error) { return w.store.Record(ctx, m.Key) })
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return
		}
		now, heir := r.Instances[m.Instance], r.Successor(m.Instance)
		s.targets[m.Key+"|"+heir.Instance] = m.Target
		nothing := struct{}{}
		switch {
		case now.State != stream.Running || now.Token != m.Token:
			_, _ = ask(a, "endmove "+m.Key, func(ctx context.Context) ([]store.Reservation, error) {
				return w.store.EndMove(ctx, m, stream.Reason{})
			})
		case w.now+w.skew > m.Deadline*ms:
			_, _ = ask(a, "endmove "+m.Key, func(ctx context.Context) ([]store.Reservation, error) {
				return w.store.EndMove(ctx, m, stream.Because(stream.CodeNoRoom))
			})
		case m.Since%2 == 0:
			_, _ = ask(a, "evict "+m.Key, func(ctx context.Context) (store.Eviction, error) {
				return w.store.Evict(ctx, m, false, classesFor(m.Key))
			})
		case heir.Token == "" && heir.State == "":
			_, _ = ask(a, "succeed "+m.Key, func(ctx context.Context) (struct{}, error) { return nothing, w.store.Succeed(ctx, m) })
		case heir.State == stream.Running && heir.Up && heir.Vars["by"] != "":
			_, _ = ask(a, "lead "+m.Key, func(ctx context.Context) (store.Commands, error) {
				return w.store.Lead(ctx, now.Reservation, heir.Token)
			})
		}
	}
}

// outbox sends what was placed, by this scheduler or by one that died.
func (s *scheduler) outbox(a *actor) {
	w := a.w
	due, err := ask(a, "outbox", func(ctx context.Context) ([]store.Start, error) {
		due, _, err := w.store.Outbox(ctx, 3*time.Second, 20*time.Second, 10)
		return due, err
	})
	if err != nil {
		return
	}
	for _, v := range due {
		if !v.Overdue {
			w.send(task{v.Reservation, "start"})
			continue
		}
		_, _ = ask(a, "unassign "+v.Key+"/"+v.Instance, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, w.store.Unassign(ctx, v.Reservation, 5*time.Second, stream.Because(stream.CodeUnclaimed))
		})
	}
}

// send hands a task to the host's queue, which loses, delays, doubles and
// reorders.
func (w *world) send(t task) {
	deliver := func() {
		for _, m := range w.machines {
			if m.name == t.Host && m.runner != nil {
				m.runner.box = append(m.runner.box, t)
			}
		}
	}
	after := 10*ms + w.rng.Int64N(200*ms)
	if p := w.rng.IntN(100); !w.calm {
		switch {
		case p < 6:
			return
		case p < 12:
			after = w.rng.Int64N(60 * second)
		case p < 18:
			w.at(w.now+w.rng.Int64N(30*second), deliver)
		}
	}
	w.at(w.now+after, deliver)
}

// poller lists the source; two of them share it.
type poller struct {
	w     *world
	name  string
	cut   bool
	known bool
	set   store.AnnouncedSet
	good  int64
}

func (p *poller) run(a *actor) {
	for {
		a.sleep(900*ms + a.w.rng.Int64N(200*ms))
		if !a.w.calm && a.w.rng.IntN(20) == 0 {
			continue // the ingest did not answer
		}
		p.poll(a)
	}
}

func (p *poller) poll(a *actor) {
	w := a.w
	listed := map[string]string{}
	for key := range w.live {
		listed[key] = w.plan[key].Encode()
	}
	if !p.known {
		set, err := ask(a, "announced", func(ctx context.Context) (store.AnnouncedSet, error) { return w.store.Announced(ctx, "src") })
		if err != nil {
			return
		}
		p.set, p.known = set, true
	}
	q := store.Poll{
		Source: "src", Poller: p.name, Version: p.set.Version, Known: len(p.set.Entries), Upsert: map[string]string{}, LastGood: p.good,
		GoneAfter: 3 * time.Second, Info: store.SourceInfo{Type: "model", URL: "u"},
	}
	for key, text := range listed {
		if p.set.Entries[key] != text {
			q.Upsert[key] = text
		}
		if _, ok := p.set.Missing[key]; ok {
			q.Back = append(q.Back, key)
		}
	}
	for key := range p.set.Entries {
		if listed[key] == "" {
			q.Absent = append(q.Absent, key)
		}
	}
	r, err := ask(a, "announce", func(ctx context.Context) (store.PollResult, error) { return w.store.Announce(ctx, q) })
	if err != nil || r.Stale || r.Version != p.set.Version {
		p.known = false
	}
	if err == nil && !r.Stale {
		p.good = r.Now
	}
}

// The world's constants: what there is to give, and who may have it.
var (
	slotTypes = []string{"enc", "rec"}
	hostNames = []string{"a", "b", "c", "d"}
	maxCopies = 4
	// hostLabels are what files may say of a host; it changes with a host's life.
	hostLabels = []stream.Labels{nil, {"site": "x"}, {"site": "y"}}
	anyClass   = stream.Class{}
	someClass  = stream.Class{Filter: "^s[13]"}
)

func candidatesFor(key string) []store.Candidate {
	var c []store.Candidate
	for _, labels := range hostLabels {
		with := func(class stream.Class) string { class.Labels = labels.Encode(); return class.ID() }
		c = append(c, store.Candidate{Rank: 1, Class: with(anyClass)})
		if strings.HasPrefix(key, "s1") || strings.HasPrefix(key, "s3") {
			c = append([]store.Candidate{{Rank: 0, Class: with(someClass)}}, c...)
		}
	}
	return c
}

func classesFor(key string) []string {
	var ids []string
	for _, c := range candidatesFor(key) {
		ids = append(ids, c.Class)
	}
	return ids
}
