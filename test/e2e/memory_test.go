package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/runners/supervisor"
)

// supervisorMemory gives the median memory of n supervisors in MB, what is
// resident and what of that is no other process's, once they have given back
// what only their start needed.
func supervisorMemory(t *testing.T, n int) (resident, private float64) {
	t.Helper()
	const rest = 6 * time.Second // they give it back 3 s after their child began
	time.Sleep(rest)
	var all, own []float64
	prefix := realrun.Binary(t) + "\x00" + supervisor.Command + "\x00"
	rolled, err := filepath.Glob("/proc/[0-9]*/smaps_rollup")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range rolled {
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil || !strings.HasPrefix(string(line), prefix) {
			continue // another's, or gone
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all, own = append(all, megabytes(t, string(text), "Rss:")), append(own, megabytes(t, string(text), "Private_Dirty:"))
	}
	if len(all) != n {
		t.Fatalf("%d supervisors for %d children", len(all), n)
	}
	slices.Sort(all)
	slices.Sort(own)
	return all[n/2], own[n/2]
}

// megabytes reads a line such as "Rss:   9192 kB".
func megabytes(t *testing.T, text, name string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		var kb float64
		if rest, ok := strings.CutPrefix(line, name); ok {
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return kb / 1000
		}
	}
	t.Fatalf("no %s in %q", name, text)
	return 0
}
