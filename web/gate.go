package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
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
	logins  *rate.Limiter
}

func newGate(o Options, m *Metrics) (*gate, error) {
	g := &gate{
		token: o.Token, hosts: map[string]bool{"localhost": true}, metrics: m, log: o.Log,
		cross: http.NewCrossOriginProtection(), logins: rate.NewLimiter(rate.Every(2*time.Second), 10),
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
	return path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/hooks/")
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
		bearer := g.bearer(r)
		switch {
		// A browser cannot be made to send a token it does not know, so who
		// has it may use any name.
		case !bearer && !g.named(r.Host):
			g.refused(w, r, "host", http.StatusMisdirectedRequest,
				fmt.Sprintf("this server does not know itself as %q; if that name is right, add it to web.hosts", printable(r.Host)))
		case !bearer && g.cross.Check(r) != nil, !bearer && crossSite(r):
			g.refused(w, r, "origin", http.StatusForbidden, "refused: the request came from another site's page")
		case !bearer && !g.cookie(r) && !atLogin(r.URL.Path):
			if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
				seeOther(w, loginAt(r))
				return
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="stream-api"`)
			g.refused(w, r, "token", http.StatusUnauthorized, "a token is needed: send Authorization: Bearer, or log in at /login")
		default:
			next.ServeHTTP(w, r)
		}
	})
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
	log := r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/api/v1/logs/")
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

func (g *gate) bearer(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && g.token != "" && same(strings.TrimLeft(given, " "), g.token)
}

// same compares in a time that depends on neither text.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

const (
	cookieName = "stream_api"
	cookieLife = 30 * 24 * time.Hour
)

// pass is the cookie's value: when it ends, and a proof that we said so. It
// outlives restarts, and another token ends it.
func (g *gate) pass(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(g.token))
	_, _ = mac.Write([]byte("stream-api pass " + end)) // hashes do not fail
	return end + "." + hex.EncodeToString(mac.Sum(nil))
}

// cookie tells whether the request needs no token or has the login's cookie.
func (g *gate) cookie(r *http.Request) bool {
	if g.token == "" {
		return true
	}
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	end, _, _ := strings.Cut(c.Value, ".")
	unix, err := strconv.ParseInt(end, 10, 64)
	if err != nil || time.Now().Unix() > unix {
		return false
	}
	return same(c.Value, g.pass(time.Unix(unix, 0)))
}

func (g *gate) refused(w http.ResponseWriter, r *http.Request, why string, code int, text string) {
	g.count(r, why)
	refuse(w, code, text)
}

func (g *gate) count(r *http.Request, why string) {
	g.metrics.refusals.WithLabelValues(why).Inc()
	g.log.Debug().Str("reason", why).Str("path", printable(r.URL.Path)).Str("from", r.RemoteAddr).Msg("request refused")
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
