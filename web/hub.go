package web

import (
	"errors"
	"sync"
)

// Limits of the event stream.
const (
	maxWatchers = 500
	// behind is how many frames a watcher may lag before it is cut off.
	behind = 128
)

var errCrowded = errors.New("too many are looking already; close some pages, or come back later")

// hub hands every frame to every watcher and waits for none.
type hub struct {
	mu       sync.Mutex
	watchers map[*watcher]bool
	arrived  chan struct{} // one waits: somebody joined
}

// watcher is one open event stream.
type watcher struct {
	frames chan frame // closed when it lagged, or the server ends
}

func newHub() *hub {
	return &hub{watchers: map[*watcher]bool{}, arrived: make(chan struct{}, 1)}
}

func (h *hub) join() (*watcher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil || len(h.watchers) >= maxWatchers {
		return nil, errCrowded
	}
	w := &watcher{frames: make(chan frame, behind)}
	h.watchers[w] = true
	select {
	case h.arrived <- struct{}{}:
	default:
	}
	return w, nil
}

func (h *hub) leave(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.part(w)
}

func (h *hub) part(w *watcher) {
	if h.watchers[w] {
		delete(h.watchers, w)
		close(w.frames)
	}
}

func (h *hub) send(f frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		select {
		case w.frames <- f:
		default:
			h.part(w) // it comes back and gets the whole picture
		}
	}
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

// end cuts everybody off and lets nobody join any more.
func (h *hub) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		h.part(w)
	}
	h.watchers = nil
}
