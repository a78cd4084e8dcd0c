package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/store"
)

// settings are the flags.
type settings struct {
	hosts, types, real, streams int
	more                        string
	binary, plot                string
	away, span                  time.Duration
}

func main() {
	var o settings
	flag.IntVar(&o.hosts, "hosts", 1000, "simulated hosts")
	flag.IntVar(&o.types, "types", 6, "services of each, and slots of a stream")
	flag.IntVar(&o.real, "real", 10, "real hosts beside them")
	flag.IntVar(&o.streams, "streams", 1000, "streams that appear at once")
	flag.StringVar(&o.more, "more", "3000,10000", "further numbers of hosts, idle, at the end")
	flag.StringVar(&o.binary, "binary", "bin/stream-api", "the built program")
	flag.StringVar(&o.plot, "plot", "", "where to write the plot (SVG)")
	flag.DurationVar(&o.away, "away", time.Minute, "how long Redis is away")
	flag.DurationVar(&o.span, "span", 20*time.Second, "how long idle hosts are measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	settings
	ctx    context.Context
	redis  *redisServer
	ingest *ingest
	real   *network
	fleet  *fleet
	points []point
	base   float64               // commands a second of schedulers and page without simulated hosts
	op     redis.UniversalClient // the operator's
	seen   int                   // streams that were added
}

func run(ctx context.Context, o settings) error {
	if err := allowFiles(); err != nil {
		return err
	}
	b := &bench{settings: o, ctx: ctx}
	var err error
	if b.redis, err = newRedis(); err != nil {
		return err
	}
	defer b.redis.remove()
	b.ingest = newIngest()
	defer b.ingest.Close()
	b.op = b.redis.client()
	st, err := store.New(b.op, store.Options{Actor: "fleet"})
	if err != nil {
		return err
	}
	b.fleet = &fleet{st: st, types: o.types, capacity: 2 + 2*o.streams/o.hosts}
	if b.real, err = startReal(o.binary, b.redis.socket(), b.ingest.URL, o.real, o.types, b.fleet.chain()); err != nil {
		return err
	}
	defer b.real.stop()
	for _, scene := range []struct {
		name string
		play func() error
	}{
		{"alone", b.alone}, {"idle", b.idle}, {"one at a time", b.oneAtATime}, {"hints lost", b.hintsLost}, {"burst", b.burst},
		{"rolling restart", b.rolling}, {"a tenth dies", b.deaths}, {"Redis away", b.outage}, {"emptied", b.emptied}, {"more", b.grown},
	} {
		fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), scene.name)
		if err := scene.play(); err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
	}
	if o.plot == "" {
		return nil
	}
	return os.WriteFile(o.plot, []byte(plot(b.points)), 0o644)
}

// allowFiles lets the process have as many connections as it may.
func allowFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

func say(format string, args ...any) { fmt.Printf("- "+format+"\n", args...) }

// alone measures the real hosts without others.
func (b *bench) alone() error {
	go b.real.watch()
	if err := b.noHold(); err != nil {
		return err
	}
	if err := b.rest(12 * time.Second); err != nil { // what a start leaves to be done is done
		return err
	}
	_, sent, err := b.redis.sent(b.span)
	if err != nil {
		return err
	}
	b.base = float64(sent) / b.span.Seconds()
	used, first, others, err := b.spend(b.span)
	if err != nil {
		return err
	}
	say("%d real hosts of %d types at rest, three schedulers at work, one page that is watched: %.0f commands a second in all; of a core: Redis %.2f %%, a host %.2f %%, the one that polls five times a second and serves the page %.2f %%",
		b.settings.real, b.types, b.base, used, others/float64(b.settings.real-1), first)
	return nil
}

// spend measures processor time in percent of a core.
func (b *bench) spend(span time.Duration) (redis, first, others float64, err error) {
	r0, err0 := b.redis.cpu()
	f0, o0, err1 := b.real.cpu()
	err = b.rest(span)
	r1, err2 := b.redis.cpu()
	f1, o1, err3 := b.real.cpu()
	part := 100 / span.Seconds()
	return (r1 - r0) * part, (f1 - f0) * part, (o1 - o0) * part, errors.Join(err, err0, err1, err2, err3)
}

func (b *bench) rest(span time.Duration) error {
	select {
	case <-b.ctx.Done():
		return context.Cause(b.ctx)
	case <-time.After(span):
		return nil
	}
}

func (b *bench) noHold() error {
	_, err := await(b.ctx, 3*time.Minute, "the hold ends", func() bool {
		status, err := b.fleet.st.Overview(b.ctx)
		return err == nil && status.Hold == nil
	})
	return err
}

// idle measures growing numbers of hosts that have nothing to do.
func (b *bench) idle() error {
	fmt.Printf("\n| idle simulated hosts of %d types | commands a second that each sends | that schedulers and page send for each of its types | Redis, share of a core |\n|---|---|---|---|\n", b.types)
	for _, n := range []int{10, 100, 300, b.hosts} {
		if n > b.hosts {
			continue
		}
		if err := b.measure(n); err != nil {
			return err
		}
	}
	fmt.Println()
	return nil
}

func (b *bench) measure(n int) error {
	if err := b.fleet.grow(n, b.redis.hostClient); err != nil {
		return err
	}
	if err := b.rest(10 * time.Second); err != nil {
		return err
	}
	sent, others, err := b.redis.sent(b.span)
	if err != nil {
		return err
	}
	used, _, _, err := b.spend(b.span)
	if err != nil {
		return err
	}
	second := b.span.Seconds() * float64(n)
	p := point{hosts: n, perHost: float64(sent) / second, others: (float64(others)/b.span.Seconds() - b.base) / float64(n*b.types), redis: used}
	b.points = append(b.points, p)
	fmt.Printf("| %d | %.1f | %.2f | %.1f %% |\n", n, p.perHost, p.others, p.redis)
	return nil
}

// add has n streams more listed by the ingest.
func (b *bench) add(n int) {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("s%05d", b.seen)
		b.seen++
	}
	b.ingest.add(keys...)
}

// allRun waits until every slot of every stream is held.
func (b *bench) allRun(limit time.Duration) (time.Duration, error) {
	want := b.seen * b.types
	took, err := await(b.ctx, limit, fmt.Sprintf("%d slots are held", want), func() bool { return b.fleet.holds() == want })
	if err != nil {
		err = fmt.Errorf("%w, and %d are", err, b.fleet.holds())
	}
	return took, err
}

func (b *bench) singly(n int) ([]time.Duration, error) {
	b.fleet.taken()
	for range n {
		b.add(1)
		if _, err := b.allRun(time.Minute); err != nil {
			return nil, err
		}
	}
	return b.fleet.taken(), nil
}

func (b *bench) oneAtATime() error {
	waits, err := b.singly(40)
	if err != nil {
		return err
	}
	say("placed → claimed beside %d hosts, a stream of %d slots at a time: %s", b.hosts, b.types, spread(waits))
	return nil
}

// hintsLost forbids the channels of the hosts, so that every hint is lost.
func (b *bench) hintsLost() error {
	if err := b.op.Do(b.ctx, "ACL", "SETUSER", "default", "resetchannels", "&wake", "&asynq:cancel").Err(); err != nil {
		return err
	}
	waits, err := b.singly(10)
	if err != nil {
		return err
	}
	say("the same with every hint to a host lost (beat %v): %s", beat, spread(waits))
	return b.op.Do(b.ctx, "ACL", "SETUSER", "default", "allchannels").Err()
}

func (b *bench) burst() error {
	if err := b.rest(5 * time.Second); err != nil {
		return err
	}
	before, err := b.redis.cpu()
	if err != nil {
		return err
	}
	b.fleet.taken()
	b.add(b.streams)
	took, err := b.allRun(3 * time.Minute)
	if err != nil {
		return err
	}
	after, err := b.redis.cpu()
	if err != nil {
		return err
	}
	n := b.streams * b.types
	say("%d streams of %d slots appear at once: all claimed after %.2f s (the wait for the poll included); Redis %.0f µs a slot", b.streams, b.types, took.Seconds(), (after-before)*1e6/float64(n))
	return nil
}

// rolling restarts every host, one after the other.
func (b *bench) rolling() error {
	stopped, began := b.fleet.stopped.Load(), time.Now()
	err := each(b.fleet.hosts, 1, func(h *host) error { return errors.Join(h.end(), h.begin()) })
	if err != nil {
		return err
	}
	took := time.Since(began)
	if err := b.rest(2 * beat); err != nil {
		return err
	}
	if _, err := b.allRun(time.Minute); err != nil {
		return err
	}
	say("all %d hosts restart one after the other, in %.0f s: %d slots stopped", b.hosts, took.Seconds(), b.fleet.stopped.Load()-stopped)
	return nil
}

// deaths ends a tenth of the hosts with all they hold.
func (b *bench) deaths() error {
	dead := b.fleet.hosts[:len(b.fleet.hosts)/10]
	lost := 0
	for _, h := range dead {
		h.mu.Lock()
		lost += len(h.held)
		h.mu.Unlock()
	}
	if err := each(dead, 16, (*host).die); err != nil {
		return err
	}
	took, err := b.allRun(2 * time.Minute)
	if err != nil {
		return err
	}
	say("%d of %d hosts die with %d slots: all run elsewhere %.1f s after the last death (ttl %v)", len(dead), b.hosts, lost, took.Seconds(), ttl)
	return each(dead, 8, (*host).begin)
}

// outage stops Redis for a while; its data stay.
func (b *bench) outage() error {
	stopped := b.fleet.stopped.Load()
	if err := b.redis.stop(); err != nil {
		return err
	}
	if err := b.rest(b.away); err != nil {
		return err
	}
	if err := b.redis.start(); err != nil {
		return err
	}
	return b.herd(fmt.Sprintf("Redis away for %v, back with its data", b.away), stopped)
}

// emptied takes everything from Redis.
func (b *bench) emptied() error {
	stopped := b.fleet.stopped.Load()
	if err := b.op.FlushAll(b.ctx).Err(); err != nil {
		return err
	}
	return b.herd("FLUSHALL", stopped)
}

// herd measures how a store that came back is filled again.
func (b *bench) herd(what string, stopped int64) error {
	registered := b.fleet.registered.Load()
	began := time.Now()
	before, err := b.redis.cpu()
	if err != nil {
		return err
	}
	if _, _, err := slow(b.ctx, b.op); err != nil {
		return err
	}
	if err := b.rest(2 * beat); err != nil {
		return err
	}
	after, err := b.redis.cpu()
	if err != nil {
		return err
	}
	if err := b.noHold(); err != nil {
		return err
	}
	if _, err := b.allRun(3 * time.Minute); err != nil {
		return err
	}
	took := time.Since(began)
	n, longest, err := slow(b.ctx, b.op)
	if err != nil {
		return err
	}
	say("%s: %d slots stopped, %d hosts registered anew; in the first two beats Redis was busy for %.2f s; %d calls over 5 ms (longest %v); all is at rest, no hold, after %.1f s",
		what, b.fleet.stopped.Load()-stopped, b.fleet.registered.Load()-registered, after-before, n, longest.Round(100*time.Microsecond), took.Seconds())
	return nil
}

// grown measures more idle hosts, as far as the machine carries them.
func (b *bench) grown() error {
	if b.more == "" {
		return nil
	}
	fmt.Printf("\n| simulated hosts, %d slots held | commands a second that each sends | that schedulers and page send for each of its types | Redis, share of a core |\n|---|---|---|---|\n", b.fleet.holds())
	for _, text := range strings.Split(b.more, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if err := b.measure(n); err != nil {
			fmt.Printf("| %d | not carried by this machine: %v | | |\n", n, err)
			break
		}
	}
	fmt.Println()
	return nil
}

func spread(d []time.Duration) string {
	slices.Sort(d)
	at := func(q float64) float64 {
		return float64(d[min(int(q*float64(len(d))), len(d)-1)].Microseconds()) / 1000
	}
	return fmt.Sprintf("n=%d, p50 %.1f, p99 %.1f, max %.1f ms", len(d), at(0.5), at(0.99), at(1))
}
