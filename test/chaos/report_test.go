package chaos

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// report collects the figures of all scenarios for docs/benchmarks.md.
var report struct {
	sync.Mutex
	rows map[string]figures
}

// figures of a scenario, of all its runs.
type figures struct {
	runs          int
	gaps, doubles []time.Duration
}

// note adds a run: what was done, and the lengths of the spans seen.
func note(what string, gaps, doubles []time.Duration) {
	report.Lock()
	defer report.Unlock()
	if report.rows == nil {
		report.rows = map[string]figures{}
	}
	f := report.rows[what]
	report.rows[what] = figures{f.runs + 1, append(f.gaps, gaps...), append(f.doubles, doubles...)}
}

// spread writes p50, p95 and max, in seconds.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "0 | 0 | 0"
	}
	d = slices.Clone(d)
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[min(int(q*float64(len(d))), len(d)-1)] }
	return fmt.Sprintf("%.2f | %.2f | %.2f", at(0.5).Seconds(), at(0.95).Seconds(), d[len(d)-1].Seconds())
}

func printReport() error {
	report.Lock()
	defer report.Unlock()
	if len(report.rows) == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString("| scenario | runs | gaps | p50 | p95 | max | doubles | p50 | p95 | max |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, what := range slices.Sorted(maps.Keys(report.rows)) {
		f := report.rows[what]
		fmt.Fprintf(&text, "| %s | %d | %d | %s | %d | %s |\n", what, f.runs, len(f.gaps), spread(f.gaps), len(f.doubles), spread(f.doubles))
	}
	fmt.Print(text.String())
	if path := os.Getenv("CHAOS_REPORT"); path != "" {
		return os.WriteFile(path, []byte(text.String()), 0o644)
	}
	return nil
}
