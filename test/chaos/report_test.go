package chaos

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// report collects the figures of all scenarios for docs/benchmarks.md.
var report struct {
	sync.Mutex
	rows []string
}

// note adds a row: what was done, and the lengths of the spans seen.
func note(what string, gaps, doubles []time.Duration) {
	report.Lock()
	defer report.Unlock()
	report.rows = append(report.rows, fmt.Sprintf("| %s | %s | %s |", what, spread(gaps), spread(doubles)))
}

// spread writes p50, p95 and max.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "0"
	}
	d = slices.Clone(d)
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[min(int(q*float64(len(d))), len(d)-1)] }
	return fmt.Sprintf("n=%d p50 %.2f p95 %.2f max %.2f", len(d), at(0.5).Seconds(), at(0.95).Seconds(), d[len(d)-1].Seconds())
}

func printReport() error {
	report.Lock()
	defer report.Unlock()
	if len(report.rows) == 0 {
		return nil
	}
	slices.Sort(report.rows)
	text := "| scenario | gap (s) | double run (s) |\n|---|---|---|\n" + strings.Join(report.rows, "\n") + "\n"
	fmt.Print(text)
	if path := os.Getenv("CHAOS_REPORT"); path != "" {
		return os.WriteFile(path, []byte(text), 0o644)
	}
	return nil
}
