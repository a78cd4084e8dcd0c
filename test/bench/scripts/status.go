package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// reading is what a look at everything costs.
type reading struct {
	table, json time.Duration // best of some runs of the program, from start to exit
	bytes       int           // of the JSON
	longest     time.Duration // longest single call inside Redis, of the run in which that was least; 0: none took 100 µs
}

// measureStatus fills the server with streams of six running slots each, has
// binary print the status, and asks the server which call took it longest.
func measureStatus(ctx context.Context, srv *server, binary string, hosts, streams, rounds int) (reading, error) {
	types := []string{"dist", "transcode", "fanout_h264", "fanout_vpx", "fanout_audio", "fanout_thumbnail"}
	f, err := newEmptyField(ctx, srv)
	if err == nil {
		err = f.runAll(ctx, hosts, streams, types)
	}
	if err != nil {
		return reading{}, err
	}
	const threshold = 100 * time.Microsecond
	for name, value := range map[string]string{"slowlog-log-slower-than": fmt.Sprint(threshold.Microseconds()), "slowlog-max-len": "100000"} {
		if err := srv.client.ConfigSet(ctx, name, value).Err(); err != nil {
			return reading{}, err
		}
	}
	out := reading{longest: time.Hour}
	for range rounds {
		for _, format := range []string{"table", "json"} {
			if err := srv.client.SlowLogReset(ctx).Err(); err != nil {
				return reading{}, err
			}
			began := time.Now()
			text, err := exec.CommandContext(ctx, binary, "status", "-o", format, "--redis", srv.url()).Output()
			took := time.Since(began)
			if err != nil {
				return reading{}, fmt.Errorf("%s status: %w", binary, err)
			}
			best := &out.table
			if format == "json" {
				best, out.bytes = &out.json, len(text)
			}
			if *best == 0 || took < *best {
				*best = took
			}
			longest, err := srv.longestCall(ctx)
			if err != nil {
				return reading{}, err
			}
			out.longest = min(out.longest, longest)
		}
	}
	return out, nil
}

// longestCall is the longest call that the server's log of slow ones knows; 0:
// none was slow.
func (s *server) longestCall(ctx context.Context) (time.Duration, error) {
	slow, err := s.client.SlowLogGet(ctx, -1).Result()
	var longest time.Duration
	for _, call := range slow {
		longest = max(longest, call.Duration)
	}
	return longest, err
}

func printStatus(ctx context.Context, srv *server, binary string, rounds int) error {
	const hosts, streams = 1000, 10_000
	r, err := measureStatus(ctx, srv, binary, hosts, streams, rounds)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	fmt.Println("| status of 10,000 streams × 6 slots on 1,000 hosts × 6 services | |")
	fmt.Println("|---|---|")
	fmt.Printf("| `stream-api status`, from start to exit | %.2f s |\n", r.table.Seconds())
	fmt.Printf("| `stream-api status -o json` (%.0f MB) | %.2f s |\n", float64(r.bytes)/1e6, r.json.Seconds())
	longest := "less than 0.1 ms"
	if r.longest > 0 {
		longest = fmt.Sprintf("%.1f ms", float64(r.longest.Microseconds())/1000)
	}
	fmt.Printf("| the longest single call inside Redis | %s |\n", longest)
	return nil
}
