package web

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"stream-api/stream"
)

// A source is woken so often at most; what comes in between is covered by the
// poll that a wake just started or by the regular one.
const (
	hookRate  = rate.Limit(5)
	hookBurst = 5
	hookBody  = 16 << 10
)

// namesFor is how long the names of other hosts' sources are believed.
const namesFor = 5 * time.Second

// hookNames are the sources that may be woken, each with a limit of its own, so
// that a flood of one name, or of names that nobody polls, costs the others
// nothing.
type hookNames struct {
	mu     sync.Mutex
	limits map[string]*rate.Limiter
	read   time.Time
}

// limitOf is the limit of a source; nil: there is no such source.
func (s *Server) limitOf(ctx context.Context, name string) *rate.Limiter {
	h := &s.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, here := s.o.Wakers[name]; !here && time.Since(h.read) > namesFor {
		h.read = time.Now() // also if it fails: a store in trouble is left alone
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		names, err := s.o.Store.SourceNames(ctx)
		if err != nil {
			s.o.Log.Debug().Err(err).Msg("the names of sources cannot be read; hooks for new ones are passed over")
		} else {
			h.take(names)
		}
	}
	if h.limits[name] == nil && s.o.Wakers[name] != nil {
		h.limits[name] = rate.NewLimiter(hookRate, hookBurst)
	}
	return h.limits[name]
}

func (h *hookNames) take(names []string) {
	limits := make(map[string]*rate.Limiter, len(names))
	for _, name := range names {
		if limits[name] = h.limits[name]; limits[name] == nil {
			limits[name] = rate.NewLimiter(hookRate, hookBurst)
		}
	}
	h.limits = limits
}

// hook is called by an ingest when something there changed, by any method and
// with any body. It must never stand in a publisher's way, so it answers 200
// and 0, which is yes to nginx-rtmp and to SRS, whatever becomes of the hint.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	// Read, so that the connection can be used again; what is said is not
	// believed anyway.
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, hookBody))
	name := r.PathValue("source")
	if limit := s.limitOf(r.Context(), name); limit != nil && limit.Allow() {
		s.wake(r.Context(), name)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "0") // a client that went away is no error of ours
}

// wake has a source polled, here or wherever it is.
func (s *Server) wake(ctx context.Context, name string) {
	if wake, here := s.o.Wakers[name]; here {
		wake()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := s.o.Store.Poke(ctx, name); err != nil {
		s.o.Log.Debug().Err(err).Str("source", stream.Printable(name)).Msg("a hook could not be passed on; the next poll finds the same")
	}
}
