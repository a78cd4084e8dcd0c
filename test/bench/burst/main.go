package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"stream-api/queue"
	"stream-api/scheduler"
	"stream-api/store"
)

// size is what is measured.
type size struct {
	streams, slots, hosts, schedulers, claimers int
	chained                                     bool // each slot needs a variable of the one before it
}

func main() {
	var n size
	flag.IntVar(&n.streams, "streams", 1000, "streams announced at once")
	flag.IntVar(&n.slots, "slots", 6, "slots of each")
	flag.IntVar(&n.hosts, "hosts", 100, "simulated hosts, each offering every type")
	flag.IntVar(&n.schedulers, "schedulers", 1, "schedulers at work")
	flag.IntVar(&n.claimers, "claimers", 8, "claims on their way at once")
	flag.BoolVar(&n.chained, "chained", false, "each slot waits for a variable of the one before it")
	limit := flag.Duration("limit", 2*time.Minute, "give up after")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := run(ctx, n); err != nil {
		fmt.Fprintln(os.Stderr, "burst:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, n size) error {
	server, err := startRedis()
	if err != nil {
		return err
	}
	defer server.stop()
	client := server.client()
	defer func() { _ = client.Close() }() // the server ends with it
	st, err := store.New(client, store.Options{Actor: "burst", TTL: 2 * time.Second, Beat: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	f, err := newFleet(ctx, st, client, n)
	if err != nil {
		return err
	}
	end, err := startSchedulers(ctx, server, f, n)
	if err != nil {
		return err
	}
	defer end()
	if err := awaitNoHold(ctx, st); err != nil {
		return err
	}
	began := time.Now()
	if err := announce(ctx, st, n); err != nil {
		return err
	}
	announced := time.Since(began)
	if err := f.wait(ctx); err != nil {
		return err
	}
	return report(ctx, client, n, f, began, announced)
}

// startSchedulers starts schedulers with clients of their own; end waits for
// them.
func startSchedulers(ctx context.Context, server *redisServer, f *fleet, n size) (end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{}, n.schedulers)
	var clients []redis.UniversalClient
	for i := range n.schedulers {
		c := server.client()
		clients = append(clients, c)
		st, err := store.New(c, store.Options{Actor: fmt.Sprintf("scheduler%d", i), TTL: 2 * time.Second, Beat: 200 * time.Millisecond})
		if err != nil {
			cancel()
			return nil, err
		}
		q, err := queue.NewClient(c, "")
		if err != nil {
			cancel()
			return nil, err
		}
		s := scheduler.New(st, &commander{Client: q, fleet: f}, scheduler.Options{
			ID: fmt.Sprintf("scheduler%d", i), Seats: n.schedulers, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel),
		})
		go func() {
			_ = s.Run(ctx) // nil at the end of ctx, and only then
			done <- struct{}{}
		}()
	}
	return func() {
		cancel()
		for range n.schedulers {
			<-done
		}
		for _, c := range clients {
			_ = c.Close() // the server ends with it
		}
	}, nil
}

// awaitNoHold waits until the store gives work.
func awaitNoHold(ctx context.Context, st *store.Store) error {
	for {
		status, err := st.Status(ctx)
		if err != nil {
			return err
		}
		if status.Hold == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still on hold: %s", status.Hold.Reason)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// result is the line that is printed; times in milliseconds.
type result struct {
	Streams       int     `json:"streams"`
	Slots         int     `json:"slots"`
	Hosts         int     `json:"hosts"`
	Schedulers    int     `json:"schedulers"`
	Chained       bool    `json:"chained"`
	CPUs          int     `json:"cpus"`
	AnnounceMS    float64 `json:"announce_ms"`
	AllClaimedMS  float64 `json:"all_claimed_ms"`
	P50MS         float64 `json:"p50_ms"`
	P95MS         float64 `json:"p95_ms"`
	SlotsPerSec   float64 `json:"slots_per_s"`
	RedisCPUMicro float64 `json:"redis_cpu_us_per_slot"`
	LoadMin       int     `json:"load_min"`
	LoadMax       int     `json:"load_max"`
}

func report(ctx context.Context, client redis.UniversalClient, n size, f *fleet, began time.Time, announced time.Duration) error {
	times := f.times(began)
	total := len(times)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	last := times[total-1]
	used, err := redisCPU(ctx, client)
	if err != nil {
		return err
	}
	r := result{
		Streams: n.streams, Slots: n.slots, Hosts: n.hosts, Schedulers: n.schedulers, Chained: n.chained, CPUs: runtime.NumCPU(),
		AnnounceMS: ms(announced), AllClaimedMS: ms(last), P50MS: ms(times[total/2]), P95MS: ms(times[total*95/100]),
		SlotsPerSec: float64(total) / last.Seconds(), RedisCPUMicro: (used - f.cpuBefore) * 1e6 / float64(total),
	}
	r.LoadMin, r.LoadMax = f.spread()
	return json.NewEncoder(os.Stdout).Encode(r)
}
