package web

import (
	"net/http"
	"time"
)

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	if s.gate.cookie(r) {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	servePage(w, r, "login.html")
}

// login turns the token into a cookie that a page's script cannot read.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if !s.gate.logins.Allow() {
		s.gate.refused(w, r, "login-rate", http.StatusTooManyRequests, "too many attempts; wait some seconds")
		return
	}
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "the form cannot be read")
		return
	}
	if s.o.Token == "" || !same(r.PostForm.Get("token"), s.o.Token) {
		s.metrics.refusals.WithLabelValues("login").Inc()
		s.o.Log.Warn().Str("from", r.RemoteAddr).Msg("login refused: wrong token")
		http.Redirect(w, r, "/login?wrong", http.StatusSeeOther)
		return
	}
	until := time.Now().Add(cookieLife)
	s.setCookie(w, r, s.gate.pass(until), until)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	s.setCookie(w, r, "", time.Unix(1, 0))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

func (s *Server) setCookie(w http.ResponseWriter, r *http.Request, value string, until time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: value, Path: "/", Expires: until, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}
