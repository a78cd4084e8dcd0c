package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// Limits of what of the feed is told again.
const (
	feedFirst = 100  // to who comes new
	feedMax   = 1000 // to who asks; in one read
	// feedReads bounds what who comes back is told: more than the feed keeps.
	feedReads = 12
)

// hello is the first message of an event stream.
type hello struct {
	Version string `json:"version"`
	Host    string `json:"host"`
	// Can lists what this server can do beyond reading: move, restart, logs,
	// asynqmon, logout.
	Can []string `json:"can"`
}

func (s *Server) abilities() []string {
	can := []string{}
	if s.o.Mover != nil {
		can = append(can, "move", "restart")
	}
	if s.o.Logs != nil {
		can = append(can, "logs")
	}
	if s.o.Monitor != nil {
		can = append(can, "asynqmon")
	}
	if s.o.Token != "" {
		can = append(can, "logout")
	}
	return can
}

// events answers with the feed: as JSON, or as a stream of server-sent events
// (hello, picture, change, event, beat) that goes on after Last-Event-ID.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("after")
	}
	if _, _, ok := parseID(after); !ok && after != "" {
		refuse(w, http.StatusBadRequest, "after is no id of an event: <milliseconds>-<number>")
		return
	}
	n, all := feedFirst, after != ""
	if all {
		n = feedMax
	}
	if text := r.URL.Query().Get("n"); text != "" {
		asked, err := strconv.Atoi(text)
		if err != nil || asked < 0 || asked > feedMax {
			refuse(w, http.StatusBadRequest, "n is a number from 0 to "+strconv.Itoa(feedMax))
			return
		}
		n, all = asked, false
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		s.eventList(w, r, after, n)
		return
	}
	s.eventStream(w, r, func(ctx context.Context) ([]store.Event, error) {
		if all {
			return s.missed(ctx, after)
		}
		return s.past(ctx, after, n)
	}, after)
}

// missed is all that happened after an event, as far as the feed still has it.
func (s *Server) missed(ctx context.Context, after string) ([]store.Event, error) {
	var out []store.Event
	for range feedReads {
		part, err := s.past(ctx, after, feedMax)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
		if len(part) < feedMax {
			break
		}
		after = part[len(part)-1].ID
	}
	return out, nil
}

func (s *Server) past(ctx context.Context, after string, n int) ([]store.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	if n == 0 {
		return nil, nil
	}
	var events []store.Event
	var err error
	if after == "" {
		events, err = s.o.Store.LastEvents(ctx, n)
	} else {
		events, err = s.o.Store.Events(ctx, after, n, 0)
	}
	for i := range events {
		stream.Show(&events[i])
	}
	return events, err
}

func (s *Server) eventList(w http.ResponseWriter, r *http.Request, after string, n int) {
	events, err := s.past(r.Context(), after, n)
	if err != nil {
		failed(w, err)
		return
	}
	if events == nil {
		events = []store.Event{}
	}
	answer(w, http.StatusOK, map[string]any{"events": events})
}

// eventStream sends the picture, the events that past reads, then what comes.
// With ?only=events the picture and its changes are left out.
func (s *Server) eventStream(w http.ResponseWriter, r *http.Request, past func(context.Context) ([]store.Event, error), after string) {
	watcher, pic, err := s.board.join(r.Context())
	if err != nil {
		failed(w, err)
		return
	}
	defer s.hub.leave(watcher)
	told, err := past(r.Context())
	if err != nil {
		failed(w, err)
		return
	}
	first, err := json.Marshal(hello{Version: s.o.Version, Host: s.o.Host, Can: s.abilities()})
	if err != nil {
		failed(w, err)
		return
	}
	out, err := newPipe(w, r)
	if err != nil {
		failed(w, err)
		return
	}
	onlyEvents := r.URL.Query().Get("only") == "events"
	frames := []frame{newFrame("hello", "", first)}
	if !onlyEvents {
		frames = append(frames, pic)
	}
	last := after
	for _, e := range told {
		frames, last = append(frames, eventFrame(e)), e.ID
	}
	if out.send(frames...) != nil {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-s.ended:
			return
		case f, ok := <-watcher.frames:
			if !ok {
				return
			}
			// What was told as past may come again as news.
			if f.id != "" && !laterID(f.id, last) || onlyEvents && f.id == "" && !f.beat {
				continue
			}
			if out.send(f) != nil {
				return
			}
		}
	}
}

// pipe writes frames to one client.
type pipe struct {
	w      http.ResponseWriter
	c      *http.ResponseController
	packed bool
}

func newPipe(w http.ResponseWriter, r *http.Request) (*pipe, error) {
	p := &pipe{w: w, c: http.NewResponseController(w), packed: strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")}
	// The limit on reading a request would end the stream.
	if err := p.c.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would hold messages back
	if p.packed {
		h.Set("Content-Encoding", "gzip")
		h.Set("Vary", "Accept-Encoding")
	}
	w.WriteHeader(http.StatusOK)
	if p.packed {
		_, _ = w.Write(gzipHead) // a client that went away is seen at the first frame
	}
	return p, nil
}

func (p *pipe) send(frames ...frame) error {
	if err := p.c.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	for _, f := range frames {
		data := f.plain
		if p.packed {
			data = f.packed()
		}
		if _, err := p.w.Write(data); err != nil {
			return err
		}
	}
	return p.c.Flush()
}
