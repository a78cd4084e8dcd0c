package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName = "stream_api"
	// secureName is the cookie's over TLS: browsers take it from nobody else of
	// the domain, and send it over TLS alone.
	secureName = "__Host-" + cookieName
	cookieLife = 7 * 24 * time.Hour
)

// pass is the cookie's value: when it ends, and a proof that we said so. It
// outlives restarts, and another token ends it.
func (g *gate) pass(until time.Time) string {
	end := strconv.FormatInt(until.Unix(), 10)
	mac := hmac.New(sha256.New, g.passKey())
	_, _ = mac.Write([]byte(end)) // hashes do not fail
	return end + "." + hex.EncodeToString(mac.Sum(nil))
}

// cookie tells whether the request needs no token or has the login's cookie.
func (g *gate) cookie(r *http.Request) bool {
	if g.token == "" {
		return true
	}
	for _, name := range []string{secureName, cookieName} {
		if c, err := r.Cookie(name); err == nil && g.passes(c.Value) {
			return true
		}
	}
	return false
}

func (g *gate) passes(value string) bool {
	end, _, _ := strings.Cut(value, ".")
	unix, err := strconv.ParseInt(end, 10, 64)
	if err != nil || time.Now().Unix() > unix {
		return false
	}
	return same(value, g.pass(time.Unix(unix, 0)))
}

// overTLS tells whether the browser came over TLS, to us or to a proxy.
func overTLS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// setCookie sets what a link from elsewhere may bring along: it reads, and all
// that writes must come from this origin. Without TLS the browser takes the
// path of the login for its path, also where a proxy has us below one.
func setCookie(w http.ResponseWriter, r *http.Request, value string, until time.Time) {
	c := &http.Cookie{Name: cookieName, Value: value, Expires: until, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if overTLS(r) {
		c.Name, c.Path, c.Secure = secureName, "/", true
	}
	http.SetCookie(w, c)
}
