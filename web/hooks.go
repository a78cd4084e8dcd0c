package web

import (
	"context"
	"io"
	"net/http"
	"time"

	"golang.org/x/time/rate"
)

// A source is woken so often at most; what comes in between is covered by the
// poll that a wake just started or by the regular one.
const (
	hookRate  = rate.Limit(5)
	hookBurst = 5
	hookBody  = 16 << 10
)

// elsewhere limits hints to pollers on other hosts, of all sources together.
var elsewhere = rate.NewLimiter(20, 20)

// hook is called by an ingest when something there changed, by any method and
// with any body. It must never stand in a publisher's way, so it answers 200
// and 0, which is yes to nginx-rtmp and to SRS, whatever becomes of the hint.
func (s *Server) hook(w http.ResponseWriter, r *http.Request) {
	// Read, so that the connection can be used again; what is said is not
	// believed anyway.
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, hookBody))
	name := r.PathValue("source")
	if wake, here := s.o.Wakers[name]; here {
		if s.hooks[name].Allow() {
			wake()
		}
	} else if len(name) <= 64 && elsewhere.Allow() {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if err := s.o.Store.Poke(ctx, name); err != nil {
			s.o.Log.Debug().Err(err).Str("source", printable(name)).Msg("a hook could not be passed on; the next poll finds the same")
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "0") // a client that went away is no error of ours
}
