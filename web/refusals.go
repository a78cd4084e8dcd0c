package web

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// refusals remembers what Redis refuses this process, by script, so that its
// page and metrics say so when the store itself cannot be told.
type refusals struct {
	mu   sync.Mutex
	rows map[string]refused
}

type refused struct {
	store.Refusal
	since, last time.Time
}

// refusedFor is how long a refusal counts after it was met last; whatever is
// done regularly is done more often.
const refusedFor = 15 * time.Second

// heard takes in how a script went.
func (r *refusals) heard(script string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer, is := store.RefusalOf(err)
	if err == nil {
		delete(r.rows, script)
	}
	if !is {
		return
	}
	row, now := r.rows[script], time.Now()
	if row.since.IsZero() || now.Sub(row.last) > refusedFor {
		row.since = now
	}
	row.Refusal, row.last = answer, now
	r.rows[script] = row
}

// list is what is refused now, one of each answer, as one of the named host.
func (r *refusals) list(host string) []stream.RefusedStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	byAnswer := map[string]stream.RefusedStatus{}
	for script, v := range r.rows {
		if time.Since(v.last) > refusedFor {
			continue
		}
		old, seen := byAnswer[v.Answer]
		if !seen || script < old.What {
			byAnswer[v.Answer] = stream.RefusedStatus{
				Host: host, At: v.since.UnixMilli(), What: script, Word: v.Word, Answer: stream.Shown(v.Answer), Do: v.Do,
			}
		}
	}
	out := make([]stream.RefusedStatus, 0, len(byAnswer))
	for _, v := range byAnswer {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b stream.RefusedStatus) int { return cmp.Compare(a.What, b.What) })
	return out
}
