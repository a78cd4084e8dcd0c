package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "rounds of each figure; the best counts")
	calls := flag.Int("calls", 1000, "calls a round")
	binary := flag.String("binary", "bin/stream-api", "the program whose status is timed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *binary, *rounds, *calls); err != nil {
		fmt.Fprintln(os.Stderr, "scripts:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, rounds, calls int) error {
	srv, err := startServer()
	if err != nil {
		return err
	}
	defer srv.stop()

	if err := printCosts(ctx, srv, rounds, calls); err != nil {
		return err
	}
	fmt.Println()
	if err := printMemory(ctx, srv); err != nil {
		return err
	}
	fmt.Println()
	return printStatus(ctx, srv, binary, rounds)
}

func printMemory(ctx context.Context, srv *server) error {
	const hosts, streams = 1000, 2000
	m, err := measureMemory(ctx, srv, hosts, streams)
	if err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	fmt.Println("| memory, bytes | |")
	fmt.Println("|---|---|")
	fmt.Printf("| a service (of a host with six, the host's share included) | %.0f |\n", m.service)
	fmt.Printf("| a stream with its announcement | %.0f |\n", m.stream)
	fmt.Printf("| a pending slot | %.0f |\n", m.pending)
	fmt.Printf("| a running slot | %.0f |\n", m.running)
	fmt.Printf("| 10,000 streams × 6 slots on 1,000 hosts × 6 services | %.0f MB |\n",
		(10_000*(m.stream+6*m.running)+6000*m.service)/1e6)
	return nil
}

// await ticks until the hold that every store begins with is over.
func await(ctx context.Context, f *field) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		held, err := f.tick(ctx)
		if err != nil || !held {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("the first hold does not end")
}

// passes is how often all numbers of hosts are gone through: a machine that is
// busy for some seconds spoils one pass of one number and not its figure.
const passes = 3

func printCosts(ctx context.Context, srv *server, rounds, calls int) error {
	operations := []string{"limit", "place", "claim", "heartbeat", "release", "reap"}
	sizes := []int{10, 100, 1000, 10000}
	best := map[int]map[string]float64{}
	for _, hosts := range sizes {
		best[hosts] = map[string]float64{}
		for _, name := range operations {
			best[hosts][name] = math.Inf(1)
		}
	}
	for range passes {
		for _, hosts := range sizes {
			f, err := newField(ctx, srv, hosts, calls)
			if err != nil {
				return fmt.Errorf("%d hosts: %w", hosts, err)
			}
			for range rounds {
				for _, name := range operations {
					us, err := f.measure(ctx, name)
					if err != nil {
						return fmt.Errorf("%s at %d hosts: %w", name, hosts, err)
					}
					best[hosts][name] = min(best[hosts][name], us)
				}
			}
		}
	}
	fmt.Println("| µs inside Redis, a call | limit | place | place ÷ limit | claim | heartbeat | release | reap tick |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, hosts := range sizes {
		b := best[hosts]
		fmt.Printf("| %d hosts | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f |\n", hosts,
			b["limit"], b["place"], b["place"]/b["limit"], b["claim"], b["heartbeat"], b["release"], b["reap"])
	}
	return nil
}
