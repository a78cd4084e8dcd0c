package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"stream-api/stream"
)

// Limits of a request and its answer.
const (
	maxBody    = 64 << 10
	writeLimit = 30 * time.Second
)

// gate decides who may do what, before any handler.
type gate struct {
	token   string
	hosts   map[string]bool
	cross   *http.CrossOriginProtection
	metrics *Metrics
	log     zerolog.Logger
	strikes *strikes
	// What is derived of the token, when it is first asked for.
	passKey, proofKey func() []byte
}

func newGate(o Options, m *Metrics) (*gate, error) {
	g := &gate{
		token: o.Token, hosts: map[string]bool{"localhost": true}, metrics: m, log: o.Log,
		cross: http.NewCrossOriginProtection(), strikes: newStrikes(o.Log),
		passKey:  sync.OnceValue(func() []byte { return derive(o.Token, "pass", o.Host) }),
		proofKey: sync.OnceValue(func() []byte { return derive(o.Token, "proof", o.Host) }),
	}
	names := append([]string{o.Host}, o.AllowedHosts...)
	if host, _, err := net.SplitHostPort(o.Listen); err == nil {
		names = append(names, host)
	}
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	for _, name := range names {
		if strings.ContainsAny(name, "/*") {
			return nil, fmt.Errorf("web.hosts: %q is no host name; write names such as streams.example.org, without scheme or port", name)
		}
		if name != "" {
			g.hosts[strings.ToLower(strings.TrimSuffix(name, "."))] = true
		}
	}
	return g, nil
}

// open tells whether a path needs no token and may be asked for under any
// name: what monitors and ingests call, and which tells and changes nothing.
func open(path string) bool {
	name, hook := strings.CutPrefix(path, "/hooks/")
	return path == "/healthz" || path == "/readyz" || hook && name != "" && !strings.Contains(name, "/")
}

// atLogin tells whether a path is part of the login form.
func atLogin(path string) bool {
	return path == "/login" || path == "/assets/app.css" || path == "/assets/login.css" || path == "/assets/icon.svg"
}

func (g *gate) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if open(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		holder, tried := g.authorized(r)
		switch {
		// First of all: a guess is a guess, by whatever name and from wherever.
		case tried && !holder:
			g.wrongToken(w, r)
		// A browser cannot be made to send a token it does not know, so who
		// has it may use any name.
		case !holder && !g.named(r.Host):
			g.refused(w, r, "host", http.StatusMisdirectedRequest,
				fmt.Sprintf("this server does not know itself as %q; if that name is right, add it to web.hosts", stream.Printable(r.Host)))
		case !holder && g.cross.Check(r) != nil, !holder && crossSite(r):
			g.refused(w, r, "origin", http.StatusForbidden, "refused: the request came from another site's page")
		case !holder && !g.cookie(r) && !atLogin(r.URL.Path):
			if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
				seeOther(w, loginAt(r))
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="stream-api"`)
			g.refused(w, r, "token", http.StatusUnauthorized, "a token is needed: send Authorization: Bearer, or log in at /login")
		default:
			if holder || g.token != "" && !atLogin(r.URL.Path) {
				holderCame(r)
			}
			next.ServeHTTP(w, r)
		}
	})
}

// wrongToken refuses who sent one.
func (g *gate) wrongToken(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="stream-api"`)
	if g.strikes.wrongToken(r.RemoteAddr) {
		g.refused(w, r, "token", http.StatusUnauthorized, "the token is another one here; or, if it was only proven, the clocks differ by more than a minute")
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(strikeEvery/time.Second)))
	g.refused(w, r, "rate", http.StatusTooManyRequests, "too many wrong tokens came from your address: wait some seconds; the right one is taken at once")
}

// crossSite finds reads that another site's page makes; going by a link to a
// page, or to a log from another host's page, is no such.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	if r.Header.Get("Sec-Fetch-Mode") != "navigate" {
		return true
	}
	log := r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, logsPath)
	return strings.HasPrefix(r.URL.Path, "/api/") && !log
}

// named tells whether host (of the Host header) is one of ours. An address is
// nobody's name, so that it cannot be bent to point here.
func (g *gate) named(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return g.hosts[host]
}

// authorized tells whether the request shows that whoever sends it has the token,
// or tries to.
func (g *gate) authorized(r *http.Request) (yes, tried bool) {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given = strings.TrimLeft(given, " ")
	switch {
	case g.token == "":
		return false, false
	case strings.EqualFold(scheme, "Bearer"):
		return same(given, g.token), true
	case strings.EqualFold(scheme, ProofScheme):
		return g.proven(r, given), true
	}
	return false, false
}

// same compares in a time that depends on neither text.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func (g *gate) refused(w http.ResponseWriter, r *http.Request, why string, code int, text string) {
	g.count(r, why)
	refuse(w, code, text)
}

func (g *gate) count(r *http.Request, why string) {
	g.metrics.refusals.WithLabelValues(why).Inc()
	g.log.Debug().Str("reason", why).Str("path", stream.Printable(r.URL.Path)).Str("from", r.RemoteAddr).Msg("request refused")
}

// secure sets what every answer carries.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
