package web

import (
	"context"
	"net/http"
	"time"
)

// readLimit bounds a read of the store on behalf of a request.
const readLimit = 10 * time.Second

// status answers with the contract of stream.Status.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readLimit)
	defer cancel()
	pic, err := s.board.sure(ctx)
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, pic.status())
}

// picture answers with what the page computes nothing of: headroom, missing
// streams, the demo's switches.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readLimit)
	defer cancel()
	pic, err := s.board.current(ctx)
	if err != nil {
		failed(w, err)
		return
	}
	answer(w, http.StatusOK, struct {
		At int64 `json:"at"`
		parts
	}{pic.at, pic.parts})
}

// healthz says that the process serves.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether the store answers, too.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := s.o.Store.Ping(ctx); err != nil {
		// Whoever asks may be anybody: no addresses.
		refuse(w, http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ready"})
}
