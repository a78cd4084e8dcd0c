package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// toyIngest is the demo's ingest: it answers as an Icecast does and carries
// nothing. Its streams are switched on and off by people.
type toyIngest struct {
	mu     sync.Mutex
	live   map[string]time.Time // since when
	known  []string
	listen net.Listener
	server *http.Server
	done   chan error
}

// startToyIngest listens on a free port of loopback. The one goroutine it
// starts ends with close.
func startToyIngest(known ...string) (*toyIngest, error) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("toy ingest: %w", err)
	}
	t := &toyIngest{live: map[string]time.Time{}, known: known, listen: listen, done: make(chan error, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status-json.xsl", t.status)
	t.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { t.done <- t.server.Serve(listen) }()
	return t, nil
}

func (t *toyIngest) url() string { return "http://" + t.listen.Addr().String() }

// close stops listening.
func (t *toyIngest) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := t.server.Shutdown(ctx)
	if served := <-t.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// Streams lists the streams it knows and whether each is live.
func (t *toyIngest) Streams() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[string]bool, len(t.known))
	for _, key := range t.known {
		_, out[key] = t.live[key]
	}
	return out
}

// Switch turns a stream on or off; it reports whether it knows the stream.
func (t *toyIngest) Switch(key string, on bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.known, key) {
		return false
	}
	if on {
		t.live[key] = time.Now()
	} else {
		delete(t.live, key)
	}
	return true
}

// status answers as Icecast 2.4 does: no source, one object, or a list.
func (t *toyIngest) status(w http.ResponseWriter, _ *http.Request) {
	t.mu.Lock()
	var mounts []map[string]any
	for _, key := range t.known {
		if since, on := t.live[key]; on {
			mounts = append(mounts, map[string]any{
				"listenurl": t.url() + "/" + key, "server_name": "demo " + key, "server_type": "video/x-matroska",
				"stream_start_iso8601": since.UTC().Format("2006-01-02T15:04:05-0700"),
			})
		}
	}
	t.mu.Unlock()
	stats := map[string]any{"host": "localhost", "server_id": "demo", "dummy": nil}
	switch len(mounts) {
	case 0:
	case 1:
		stats["source"] = mounts[0]
	default:
		stats["source"] = mounts
	}
	w.Header().Set("Content-Type", "application/json")
	// A poller that went away is its own affair; it asks again.
	_ = json.NewEncoder(w).Encode(map[string]any{"icestats": stats})
}
