package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// pageHandler serves the page: / and /assets/<file>.
func pageHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, asset := strings.CutPrefix(r.URL.Path, "/assets/")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, http.StatusMethodNotAllowed, "this is a page; ask with GET")
		case r.URL.Path == "/":
			servePage(w, r, "index.html")
		case asset && name != "" && !strings.Contains(name, "/") && path.Ext(name) != ".html":
			servePage(w, r, name)
		default:
			refuse(w, http.StatusNotFound, "there is no such page")
		}
	})
}

// contentTypes are set by hand: a machine's own table of types may be odd.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

func servePage(w http.ResponseWriter, _ *http.Request, name string) {
	text, err := fs.ReadFile(pageFiles, "page/"+name)
	if err != nil {
		refuse(w, http.StatusNotFound, "there is no such page")
		return
	}
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	_, _ = w.Write(text) // a client that went away is no error of ours
}
