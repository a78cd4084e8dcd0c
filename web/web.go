package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"stream-api/queue"
	"stream-api/store"
	"stream-api/stream"
)

// Options say what a Server shows and who may use it.
type Options struct {
	// Store is read and, on an operator's word, written. Its actor is who
	// the feed of events names for what is done here.
	Store *store.Store
	// Listen is the host:port that Serve will be given a listener of. Anything
	// but loopback needs Token.
	Listen string
	// Token, if set, is asked of every request; at least 16 characters.
	Token string
	// CertFile and KeyFile, both or none, have it serve TLS.
	CertFile, KeyFile string
	// AllowedHosts are further names this server is reached by, without port.
	AllowedHosts []string
	Log          zerolog.Logger
	Version      string
	// Host is the name of the host this process runs, empty for none; Logs
	// reads the logs of slots on it, nil if there are none here.
	Host string
	Logs LogReader
	// Name is what this process is called where it says that Redis refuses it.
	Name string
	// Monitor is asynqmon made for the root MonitorRoot; nil: none.
	// MonitorReadOnly refuses whatever would change a queue there.
	Monitor         http.Handler
	MonitorReadOnly bool
	// Wakers wake the poller of a source at once, by the source's name.
	Wakers map[string]func()
	// Queues tells the state of the queues, for metrics; nil: not told.
	Queues Queues
	// Metrics of the process; nil: new ones.
	Metrics *Metrics
	// Demo adds switches for a toy ingest and its hosts; nil: none.
	Demo Demo
	// Mover moves and restarts slots; nil: neither is offered.
	Mover Mover
}

// MonitorRoot is where asynqmon is mounted.
const MonitorRoot = "/asynqmon"

// Queues tells the state of every queue.
type Queues interface {
	Depths(context.Context) ([]queue.Depth, error)
}

// Server is the HTTP side of a process. Make one with New.
type Server struct {
	o       Options
	gate    *gate
	board   *board
	hub     *hub
	metrics *Metrics
	handler http.Handler
	hooks   hookNames
	tls     *tls.Config   // nil: none
	readers chan struct{} // one entry for each open log
	ended   chan struct{} // closed when open streams are to end
	end     sync.Once
}

// maxLogReaders bounds the logs that are open at once.
const maxLogReaders = 64

// New checks the options. Its error says what to change in the configuration.
func New(o Options) (*Server, error) {
	if err := checkListen(o.Listen, o.Token); err != nil {
		return nil, err
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(o.Version)
	}
	h := newHub()
	s := &Server{
		o: o, hub: h, metrics: o.Metrics, board: newBoard(o.Store, o.Demo, h),
		hooks: hookNames{limits: map[string]*rate.Limiter{}}, readers: make(chan struct{}, maxLogReaders), ended: make(chan struct{}),
	}
	var err error
	if s.gate, err = newGate(o, o.Metrics); err != nil {
		return nil, err
	}
	if o.CertFile != "" {
		if s.tls, err = tlsOf(o.CertFile, o.KeyFile, o.Log); err != nil {
			return nil, err
		}
	}
	s.board.changed = o.Metrics.streamChanged
	s.board.own = func() []stream.RefusedStatus { return o.Metrics.refused.list(o.Name) }
	o.Metrics.watch(s.board, o.Queues)
	s.handler = s.gate.wrap(s.routes())
	return s, nil
}

// Handler serves requests without a listener. The event stream tells news
// only while Serve runs.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve serves on l until ctx ends, then closes it. It may be called once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	inner, cancel := context.WithCancel(ctx)
	var loops, open sync.WaitGroup
	loops.Go(func() { s.board.run(inner) })
	loops.Go(func() { follow(inner, s.o.Store, s.board, s.metrics, s.o.Log) })
	loops.Go(func() { hear(inner, s.o.Store, s.board) })
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       20 * time.Second,
		WriteTimeout:      writeLimit, // open streams move it on with each message
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          nil,
		ConnContext:       withVisitor,
		ConnState: func(conn net.Conn, state http.ConnState) {
			if v := visitorOf(conn); v != nil {
				v.turns(state)
			}
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				open.Done()
			}
		},
	}
	scheme, inside := "http", net.Listener(newCrowd(l, s.metrics, s.o.Log))
	if s.tls != nil {
		scheme, inside = "https", tls.NewListener(inside, s.tls)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(inside) }()
	s.o.Log.Info().Str("address", l.Addr().String()).Msg("the status page is at " + scheme + "://" + l.Addr().String() + "/")
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		_ = l.Close() // that it is closed is all that counts
		<-served
	}
	cancel()
	s.end.Do(func() { close(s.ended) })
	s.hub.end()
	err = errors.Join(err, endConnections(context.WithoutCancel(ctx), server, &open))
	loops.Wait()
	if err != nil {
		return fmt.Errorf("serve the status page: %w", err)
	}
	return nil
}

// The times in which connections end: first each may have the answer to what it
// asks, then the handlers at work may come to their ends.
const (
	answerFor = time.Second
	finishFor = 2 * time.Second
)

// endConnections answers whoever was let in, once the listener is closed.
// Shutdown alone would drop requests that it finds unread.
func endConnections(ctx context.Context, server *http.Server, open *sync.WaitGroup) error {
	server.SetKeepAlivesEnabled(false)
	answered := make(chan struct{})
	go func() { // ends with the last connection, at the latest by Close
		open.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(answerFor):
	}
	stop, release := context.WithTimeout(ctx, finishFor)
	defer release()
	if server.Shutdown(stop) != nil {
		return server.Close()
	}
	return nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("/hooks/{source}", s.hook)
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.Handle("GET /metrics", s.metrics.handler())
	mux.HandleFunc("GET /api/v1/status", s.status)
	mux.HandleFunc("GET /api/v1/picture", s.picture)
	mux.HandleFunc("GET /api/v1/events", s.events)
	mux.HandleFunc("GET /api/v1/logs/{path...}", s.logs)
	s.actions(mux)
	mux.Handle("/api/", otherMethods(mux, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "there is no such endpoint; see docs/http.md")
	})))
	if s.o.Monitor != nil {
		mux.Handle(MonitorRoot+"/", s.monitor())
		mux.Handle("GET "+MonitorRoot, http.RedirectHandler(MonitorRoot+"/", http.StatusMovedPermanently))
	}
	mux.Handle("/", otherMethods(mux, pageHandler()))
	return mux
}

// otherMethods answers 405 where the path is known under another method, which
// the mux does not see behind a pattern that takes all; next has the rest.
func otherMethods(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, v := range []struct{ method, allow string }{{http.MethodGet, "GET, HEAD"}, {http.MethodPost, "POST"}} {
			probe := *r
			probe.Method = v.method
			if _, pattern := mux.Handler(&probe); strings.HasPrefix(pattern, v.method+" ") {
				w.Header().Set("Allow", v.allow)
				refuse(w, http.StatusMethodNotAllowed, "ask with "+v.method)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
