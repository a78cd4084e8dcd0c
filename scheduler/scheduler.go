package scheduler

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"stream-api/queue"
	"stream-api/scheduler/placement"
	"stream-api/store"
)

// Commander sends commands to hosts and looks after their queues;
// *queue.Client is one. A command that is lost costs time, no work.
type Commander interface {
	SlotCommand(ctx context.Context, verb queue.Verb, s queue.Reservation) error
	// PausedQueues lists the services whose queue an operator paused.
	PausedQueues(ctx context.Context) ([]queue.Service, error)
	// Remove removes the queue of a service whose host is gone for good.
	Remove(ctx context.Context, typ, host string) error
	// Reset forgets what is known of a Redis that was found emptied.
	Reset()
}

// Options of a Scheduler. Zero values mean the defaults named.
type Options struct {
	// ID tells this scheduler from the others of the same store.
	ID string
	// Seats is how many schedulers are busy at once; the rest stand by. 3.
	Seats int
	// SeatTTL is after how long the seat of a dead scheduler is free. 3 s.
	SeatTTL time.Duration
	// Net is how often each loop looks though nothing hinted at work. 1 s,
	// and no more.
	Net time.Duration
	// Tick is the reaper's period. 500 ms.
	Tick time.Duration
	// Beat bounds the waits while the store does not answer. 2 s.
	Beat time.Duration
	// Upkeep is the period of the re-index. 10 s.
	Upkeep time.Duration
	// Resend is after how long an unclaimed start is sent again (3 s), Limit
	// after how long it is taken back (20 s), Cooldown how long its host is
	// avoided then (1 min).
	Resend, Limit, Cooldown time.Duration
	// Hysteresis is how long a better source must be back before it is used
	// again. 15 s.
	Hysteresis time.Duration
	// MoveLimit is after how long a drain gives the move of one slot up, to
	// come back to it after the others. 1 min.
	MoveLimit time.Duration
	// Ready is how long a successor must run, if its host does not say that
	// its child is up, before it takes over. 5 s.
	Ready time.Duration
	// ForgetAfter is after how long a host that is down and holds nothing is
	// forgotten. 24 h.
	ForgetAfter time.Duration
	// Events, if set, reads the queue of events until its context ends. It runs
	// while this scheduler is the one that heeds hints, so that one process of
	// the network reads them and not each.
	Events func(ctx context.Context) error
	Log    zerolog.Logger
}

func (o Options) complete() Options {
	set := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	if o.Seats <= 0 {
		o.Seats = 3
	}
	set(&o.SeatTTL, 3*time.Second)
	set(&o.Net, time.Second)
	set(&o.Tick, 500*time.Millisecond)
	set(&o.Beat, 2*time.Second)
	set(&o.Upkeep, 10*time.Second)
	set(&o.Resend, 3*time.Second)
	set(&o.Limit, 20*time.Second)
	set(&o.Cooldown, time.Minute)
	set(&o.Hysteresis, 15*time.Second)
	set(&o.MoveLimit, time.Minute)
	set(&o.Ready, 5*time.Second)
	set(&o.ForgetAfter, 24*time.Hour)
	o.Net = min(o.Net, time.Second)
	return o
}

// Stats counts what this scheduler did since it was made.
type Stats struct {
	Seated    bool   // busy, not standing by
	Wanted    uint64 // streams reconciled
	Placed    uint64 // slots given to a host
	Sent      uint64 // commands sent
	Unclaimed uint64 // starts taken back because nobody took them up
	Reaped    uint64 // slots taken back from lapsed hosts
	Moved     uint64 // planned moves done
}

// Scheduler is one of any number of schedulers of a store.
type Scheduler struct {
	store *store.Store
	cmd   Commander
	o     Options
	log   zerolog.Logger
	rules *ruleBook
	view  *hostView
	talk  *outages

	wants, places, sends, moves, requeues *bell
	ranked                                *bell // first changed
	touched                               touchedTypes
	tellings                              chan telling
	seated, first                         atomic.Bool
	counts                                struct{ wanted, placed, sent, unclaimed, reaped, moved atomic.Uint64 }
	leases                                longestLease
	netDone                               time.Time                    // of the place loop alone: the last pass over all types
	idle                                  idleSlots                    // of the place loop alone
	hungry                                map[string]*placement.Hunger // of the place loop alone: what the slots of types wait for, as the last pass found it
	bound                                 map[string]string            // of the place loop alone: <key>|<job> → the host that it is bound to, '' for none
	near                                  nearTypes
	each                                  eachStreams
	tried                                 map[string]time.Time // of the moves loop alone: token → when a drain last tried to move it
	mender                                *store.Mender        // of the upkeep loop alone
	hostsSeen                             time.Time            // of the upkeep loop alone: when it last read all hosts
}

// New makes a scheduler; Run starts it.
func New(s *store.Store, cmd Commander, o Options) *Scheduler {
	o = o.complete()
	log := o.Log.With().Str("scheduler", o.ID).Logger()
	return &Scheduler{
		store: s, cmd: cmd, o: o, log: log, mender: s.Mender(),
		rules: newRuleBook(s), idle: idleSlots{}, bound: map[string]string{}, view: &hostView{store: s}, talk: &outages{log: log},
		wants: newBell(), places: newBell(), sends: newBell(), moves: newBell(), requeues: newBell(), ranked: newBell(),
		tellings: make(chan telling, 4096),
	}
}

// Stats reads the counters; safe at any time.
func (s *Scheduler) Stats() Stats {
	return Stats{
		Seated: s.seated.Load(), Wanted: s.counts.wanted.Load(), Placed: s.counts.placed.Load(), Sent: s.counts.sent.Load(),
		Unclaimed: s.counts.unclaimed.Load(), Reaped: s.counts.reaped.Load(), Moved: s.counts.moved.Load(),
	}
}

// Consider has marked streams reconciled at once; it is a queue.EventHandler. The
// marks carry the truth: which keys the event names does not matter, and one
// that is lost costs time alone.
func (s *Scheduler) Consider(ctx context.Context, _ queue.Kind, _ []string) error {
	if s.first.Load() {
		s.wants.ring()
		return nil
	}
	return s.store.HintDirty(ctx) // the one that heeds hints is elsewhere
}

// Run works until ctx ends and then returns nil, its seat given back and its
// goroutines ended. It needs no store that answers: it waits for one.
func (s *Scheduler) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if !s.waitForSeat(ctx) {
			return nil
		}
		s.log.Info().Str("state", "busy").Msg("the scheduler has a seat and is at work")
		s.seated.Store(true)
		s.work(ctx)
		s.seated.Store(false)
		if ctx.Err() == nil {
			s.log.Info().Str("state", "standby").Msg("the scheduler lost its seat to others and stands by")
		}
	}
	s.giveBackSeat(ctx)
	return nil
}

// work runs the loops until ctx ends or the seat is lost.
func (s *Scheduler) work(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	loops := []loop{
		{name: "dirty", every: s.o.Net, bell: s.wants, run: s.reconcile},
		{name: "each", every: s.o.Net, run: s.compare},
		{name: "place", every: s.o.Net, bell: s.places, run: s.place},
		{name: "outbox", every: s.o.Net, bell: s.sends, run: s.dispatch},
		{name: "moves", every: s.o.Net, bell: s.moves, run: s.move},
		{name: "requeue", every: s.o.Net / 2, bell: s.requeues, run: s.requeueDue},
		{name: "reap", every: s.o.Tick, run: s.reaper()},
		{name: "upkeep", every: s.o.Upkeep, run: s.upkeep},
	}
	var all sync.WaitGroup
	for _, l := range loops {
		l.run = s.mending(l.run)
		all.Go(func() { l.loop(ctx, s.o.Beat, s.talk) })
	}
	all.Go(func() { s.listen(ctx) })
	all.Go(func() { s.tell(ctx) })
	all.Go(func() { s.readEvents(ctx) })
	s.keepSeat(ctx)
	cancel()
	all.Wait()
	s.first.Store(false)
}

// listen turns the store's hints into rings. It ends with ctx. Of the busy
// schedulers the first by id heeds hints, so that they do not all do the same
// at once; the others look by themselves each Net, and find what it left.
func (s *Scheduler) listen(ctx context.Context) {
	for h := range s.store.Hints(ctx) {
		if !s.first.Load() {
			continue
		}
		switch h.What {
		case "dirty":
			s.wants.ring()
		case "room", "pending":
			s.touched.add(h.Of)
			s.places.ring()
		case "vars":
			s.touched.addVars(h.Of)
			s.places.ring()
			s.moves.ring()
		case "report", "moves":
			s.moves.ring()
		}
	}
}
