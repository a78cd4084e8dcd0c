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
var report = struct {
	sync.Mutex
	spans map[string]spans
	times map[string][]time.Duration
}{spans: map[string]spans{}, times: map[string][]time.Duration{}}

// spans of a scenario, of all its runs.
type spans struct {
	runs          int
	gaps, doubles []time.Duration
}

// note adds a run: what was done, and the lengths of the spans seen.
func note(what string, gaps, doubles []time.Duration) {
	report.Lock()
	defer report.Unlock()
	s := report.spans[what]
	report.spans[what] = spans{s.runs + 1, append(s.gaps, gaps...), append(s.doubles, doubles...)}
}

// lasted adds how long something took.
func lasted(what string, d ...time.Duration) {
	report.Lock()
	defer report.Unlock()
	report.times[what] = append(report.times[what], d...)
}

// spread writes count, p50, p95 and max, in seconds.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "0 | – | – | –"
	}
	d = slices.Sorted(slices.Values(d))
	at := func(q float64) float64 { return d[min(int(q*float64(len(d))), len(d)-1)].Seconds() }
	return fmt.Sprintf("%d | %.2f | %.2f | %.2f", len(d), at(0.5), at(0.95), at(1))
}

func printReport() error {
	report.Lock()
	defer report.Unlock()
	var text strings.Builder
	if len(report.spans) > 0 {
		text.WriteString("| scenario (seconds) | runs | slots without a child | p50 | p95 | max | slots with two | p50 | p95 | max |\n|---|---|---|---|---|---|---|---|---|---|\n")
	}
	for _, what := range slices.Sorted(maps.Keys(report.spans)) {
		s := report.spans[what]
		fmt.Fprintf(&text, "| %s | %d | %s | %s |\n", what, s.runs, spread(s.gaps), spread(s.doubles))
	}
	if len(report.times) > 0 {
		text.WriteString("\n| from → to (seconds) | times | p50 | p95 | max |\n|---|---|---|---|---|\n")
	}
	for _, what := range slices.Sorted(maps.Keys(report.times)) {
		fmt.Fprintf(&text, "| %s | %s |\n", what, spread(report.times[what]))
	}
	fmt.Print(text.String())
	if path := os.Getenv("CHAOS_REPORT"); path != "" && text.Len() > 0 {
		return os.WriteFile(path, []byte(text.String()), 0o644)
	}
	return nil
}
