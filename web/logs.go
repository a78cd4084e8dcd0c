package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// LogLine is one line of a slot's log.
type LogLine struct {
	At   time.Time `json:"at"`
	Mark string    `json:"mark"` // who said it: the child's output or its supervisor
	Text string    `json:"text"`
}

// LogQuery is what is asked of a log.
type LogQuery struct {
	Key, Slot string
	Token     string // what was said under this token alone; empty: the latest
	Tail      int    // that many of the last lines
	Follow    bool   // and those that come, until ctx ends or the child is gone
}

// LogReader gives line what a slot on this host said. It returns
// fs.ErrNotExist if there is no such log here (yet), and the first error of line.
type LogReader func(ctx context.Context, q LogQuery, line func(LogLine) error) error

// logsPath is where logs are.
const logsPath = "/api/v1/logs/"

const (
	logTail    = 200
	logTailMax = 10_000
)

// elsewhereAnswer says where a log lies that is not here.
type elsewhereAnswer struct {
	Error string `json:"error"`
	Host  string `json:"host"`
	URL   string `json:"url,omitempty"` // of the same log there; empty: that host serves no web
}

// logs answers with a log as lines of JSON. ?tail=n takes the last n lines,
// ?follow=1 goes on, ?token= wants what was said under that one. A slot on another host is answered with 421 and the
// address of its log there.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	key, slot, err := splitLogPath(r.PathValue("path"))
	if err != nil {
		failed(w, err)
		return
	}
	tail := logTail
	if text := r.URL.Query().Get("tail"); text != "" {
		if tail, err = strconv.Atoi(text); err != nil || tail < 0 || tail > logTailMax {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("tail is a number from 0 to %d", logTailMax))
			return
		}
	}
	select {
	case s.readers <- struct{}{}:
		defer func() { <-s.readers }()
	default:
		failed(w, fmt.Errorf("%d logs are open: %w", maxLogReaders, errCrowded))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // ends with the request or the server
		select {
		case <-s.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	out := &lineWriter{w: w, c: http.NewResponseController(w)}
	// The limit on reading a request would end what is followed.
	if err := out.c.SetReadDeadline(time.Time{}); err != nil {
		failed(w, err)
		return
	}
	err = fs.ErrNotExist
	if s.o.Logs != nil {
		query := r.URL.Query()
		err = s.o.Logs(ctx, LogQuery{Key: key, Slot: slot, Token: query.Get("token"), Tail: tail, Follow: query.Get("follow") == "1"}, out.line)
	}
	switch {
	case out.begun || err == nil:
		out.begin() // an empty log is an answer too
	case errors.Is(err, fs.ErrNotExist):
		s.logElsewhere(w, r, key, slot)
	case ctx.Err() == nil:
		failed(w, fmt.Errorf("read the log: %w", err))
	}
}

// splitLogPath splits <key>/<slot>; a key has slashes of its own.
func splitLogPath(path string) (key, slot string, err error) {
	at := strings.LastIndexByte(path, '/')
	if at < 0 {
		return "", "", badRequest("write /api/v1/logs/<stream>/<slot>")
	}
	key, slot = path[:at], path[at+1:]
	if err := errors.Join(stream.CheckKey(key), stream.CheckSlotOrInstance(slot)); err != nil {
		return "", "", badRequest(err.Error())
	}
	return key, slot, nil
}

func (s *Server) logElsewhere(w http.ResponseWriter, r *http.Request, key, slot string) {
	ctx, cancel := context.WithTimeout(r.Context(), readLimit)
	defer cancel()
	record, err := s.o.Store.Record(ctx, key)
	if err != nil {
		failed(w, err)
		return
	}
	v, _ := record.Find(slot) // none has no host
	host := v.Host
	if host == "" || host == s.o.Host {
		failed(w, fmt.Errorf("log of %s %s: %w", key, slot, store.ErrNotFound))
		return
	}
	out := elsewhereAnswer{Host: host, Error: fmt.Sprintf("%s %s runs on %s, which keeps its log", key, slot, host)}
	hosts, err := s.o.Store.Hosts(ctx)
	if err != nil {
		failed(w, err)
		return
	}
	for _, h := range hosts {
		if base, err := url.Parse(h.URL); h.Host == host && err == nil && (base.Scheme == "http" || base.Scheme == "https") {
			base.User = nil
			out.URL = base.JoinPath("api/v1/logs", key, slot).String()
		}
	}
	if out.URL == "" {
		out.Error += "; it serves no web page, so look there: stream-api logs " + key + " " + slot
	}
	answer(w, http.StatusMisdirectedRequest, out)
}

// lineWriter sends each line as JSON at once.
type lineWriter struct {
	w     http.ResponseWriter
	c     *http.ResponseController
	begun bool
}

func (l *lineWriter) begin() {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
		l.w.Header().Set("X-Accel-Buffering", "no")
		l.w.WriteHeader(http.StatusOK)
	}
}

func (l *lineWriter) line(v LogLine) error {
	v.Mark, v.Text = stream.Printable(v.Mark), stream.Shown(v.Text)
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	l.begin()
	if err := l.c.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return err
	}
	if _, err := l.w.Write(append(text, '\n')); err != nil {
		return err
	}
	return l.c.Flush()
}
