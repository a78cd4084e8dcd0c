package runners

import (
	"context"
	"time"

	"stream-api/stream"
)

// wishes are what others want of a holding.
type wishes struct {
	end    ending
	reason stream.Reason // of the end
	avoid  time.Duration // this host afterwards
	drop   bool          // it is not ours any more: there is nothing to release
	assert bool
	look   *Seen // how the stream stands now
}

type ending int

const (
	endNot    ending = iota
	endGently        // stop signal, grace, KILL
	endNow           // KILL
)

// wish leaves a wish.
func (h *holding) wish(change func(*wishes)) {
	h.mu.Lock()
	change(&h.wishes)
	h.mu.Unlock()
	poke(h.wake)
}

// wishEnd wishes for an end. A harder one overrules a gentler one, and that
// the slot is lost overrules that it is to be released.
func (h *holding) wishEnd(how ending, reason stream.Reason, avoid time.Duration, drop bool) {
	h.wish(func(w *wishes) {
		if w.end == endNot {
			w.reason, w.avoid = reason, avoid
		}
		w.end = max(w.end, how)
		w.drop = w.drop || drop
	})
}

// taken returns the wishes and fulfils those that are for once.
func (h *holding) taken() wishes {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.wishes
	h.wishes.assert, h.wishes.look = false, nil
	return w
}

func (h *holding) wished() wishes {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wishes
}

// pause waits for d or to be woken; false when ctx is over.
func (h *holding) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-h.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
