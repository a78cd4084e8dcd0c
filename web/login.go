package web

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var loginForm = template.Must(template.ParseFS(pageFiles, "page/login.html"))

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if s.gate.cookie(r) {
		seeOther(w, "."+localPath(query.Get("next")))
		return
	}
	problem := ""
	if query.Has("wrong") {
		problem = "That is not the token."
	}
	serveLogin(w, http.StatusOK, problem, query.Get("next"))
}

func serveLogin(w http.ResponseWriter, code int, problem, next string) {
	var page bytes.Buffer
	if err := loginForm.Execute(&page, struct{ Problem, Next string }{problem, localPath(next)}); err != nil {
		refuse(w, http.StatusInternalServerError, "the page cannot be made")
		return
	}
	w.Header().Set("Content-Type", contentTypes[".html"])
	w.WriteHeader(code)
	_, _ = w.Write(page.Bytes()) // a client that went away is no error of ours
}

// loginAt is the login that leads back to what r asks for, seen from there.
func loginAt(r *http.Request) string {
	login := strings.Repeat("../", max(strings.Count(r.URL.EscapedPath(), "/")-1, 0)) + "login"
	if next := localPath(r.URL.RequestURI()); next != "/" {
		login += "?next=" + url.QueryEscape(next)
	}
	return login
}

// seeOther sends a browser on. The place is relative to what was asked for, as
// http.Redirect's is not: a proxy may have us below a path of its own.
func seeOther(w http.ResponseWriter, place string) {
	w.Header().Set("Location", place)
	w.WriteHeader(http.StatusSeeOther)
}

// localPath is next if it is a path on this server, else the page's. Browsers
// take a backslash for a slash and leave out tabs and newlines, so that either
// could make two slashes, and with them another host, of a path.
func localPath(next string) string {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsFunc(next, odd) {
		return "/"
	}
	return next
}

// login turns the token into a cookie that a page's script cannot read.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "the form cannot be read")
		return
	}
	next := localPath(r.PostForm.Get("next"))
	if s.o.Token == "" || !same(r.PostForm.Get("token"), s.o.Token) {
		if !s.gate.strikes.wrongToken(r.RemoteAddr) {
			s.gate.count(r, "rate")
			serveLogin(w, http.StatusTooManyRequests, "Too many wrong tokens: wait some seconds.", next)
			return
		}
		s.gate.count(r, "login")
		seeOther(w, "login?wrong&next="+url.QueryEscape(next))
		return
	}
	until := time.Now().Add(cookieLife)
	setCookie(w, r, s.gate.pass(until), until)
	seeOther(w, "."+next)
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	setCookie(w, r, "", time.Unix(1, 0))
	seeOther(w, "login")
}
