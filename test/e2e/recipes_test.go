package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// recipe is one network of docs/recipes.md.
type recipe struct {
	title string
	files []recipeFile
}

// recipeFile is one block: whose it is, and what it says.
type recipeFile struct {
	name, hosts, text string
}

var (
	recipeTitle = regexp.MustCompile(`(?m)^## (\d\. .*)$`)
	recipeBlock = regexp.MustCompile("(?s)```yaml\n(# ([\\w.-]+)\\.yaml(?:: ([^\n]*))?\n.*?)```")
	hostName    = regexp.MustCompile(`network: \{name: ([^,}]+)`)
)

// recipes reads the page.
func recipes(t *testing.T) []recipe {
	t.Helper()
	page, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []recipe
	titles := recipeTitle.FindAllSubmatchIndex(page, -1)
	for i, at := range titles {
		end := len(page)
		if i+1 < len(titles) {
			end = titles[i+1][0]
		}
		r := recipe{title: string(page[at[2]:at[3]])}
		for _, m := range recipeBlock.FindAllStringSubmatch(string(page[at[1]:end]), -1) {
			r.files = append(r.files, recipeFile{name: m[2], hosts: m[3], text: m[1]})
		}
		out = append(out, r)
	}
	return out
}

// own are the files of one host each; of gives the files that such a host takes, in their order.
func (r recipe) own() []recipeFile {
	return slices.DeleteFunc(slices.Clone(r.files), func(f recipeFile) bool { return f.hosts != "" })
}

func (r recipe) of(host string) []string {
	var out []string
	for _, f := range r.files {
		if f.name == host || f.hosts == "every host" || slices.Contains(strings.Split(f.hosts, ", "), host) {
			out = append(out, f.text)
		}
	}
	return out
}

// standIns are what stands on one machine for the programs, files and servers that the
// networks have on many.
type standIns struct {
	t       *testing.T
	dir     string
	listing string // what list-rooms and talks-now print
	server  *httptest.Server
	uses    *strings.Replacer
}

func newStandIns(t *testing.T, mounts []string, listing string) *standIns {
	t.Helper()
	s := &standIns{t: t, dir: t.TempDir(), listing: listing}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/status-json.xsl", func(w http.ResponseWriter, _ *http.Request) {
		sources := make([]string, len(mounts))
		for i, m := range mounts {
			sources[i] = fmt.Sprintf(`{"listenurl":"http://localhost:8000/%s","server_type":"video/webm","stream_start_iso8601":"2026-01-01T10:00:00+0000"}`, m)
		}
		_, _ = fmt.Fprintf(w, `{"icestats":{"host":"localhost","server_id":"Icecast 2.4.4","source":[%s]}}`, strings.Join(sources, ","))
	})
	mux.HandleFunc("/stat", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `<?xml version="1.0"?><rtmp><pid>1</pid><uptime>100</uptime><server><application><name>stream</name><live>`)
		for _, m := range mounts {
			_, _ = fmt.Fprintf(w, `<stream><name>%s</name><time>5000</time><bytes_in>%d</bytes_in><client><id>7</id><publishing/><active/></client><publishing/><active/></stream>`, m, time.Now().UnixNano())
		}
		_, _ = fmt.Fprint(w, `</live></application></server></rtmp>`)
	})
	mux.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	s.server = httptest.NewServer(mux)
	t.Cleanup(s.server.Close)
	address := s.server.Listener.Addr().String()
	s.uses = strings.NewReplacer(
		"127.0.0.1:8000", address, "127.0.0.1:8080", address, "127.0.0.1:2222", address, "127.0.0.1:${place:port}", address, "/srv/", s.dir+"/srv/",
	)
	return s
}

var (
	programPath = regexp.MustCompile(`/usr/[\w./-]+`)
	filePath    = regexp.MustCompile(`/etc/[\w./-]*(\$\{stream:key\})?[\w.-]*`)
)

// use puts what is here in the place of what a file names, and makes it.
func (s *standIns) use(text string, keys []string) string {
	text = programPath.ReplaceAllStringFunc(text, func(path string) string {
		work := "trap 'exit 0' TERM INT\nwhile :; do sleep 1 & wait $!; done\n"
		switch filepath.Base(path) {
		case "list-rooms", "talks-now":
			work = "cat <<'END'\n" + s.listing + "\nEND\n"
		case "claim-address", "free-space":
			work = ""
		}
		s.write(path, "#!/bin/sh\n"+work, 0o755)
		return s.dir + path
	})
	text = filePath.ReplaceAllStringFunc(text, func(path string) string {
		for _, key := range keys {
			s.write(strings.ReplaceAll(path, "${stream:key}", key), "STATION="+key+"\n", 0o644)
		}
		return s.dir + path
	})
	return s.uses.Replace(text)
}

func (s *standIns) write(path, text string, mode os.FileMode) {
	s.t.Helper()
	at := s.dir + path
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), mode); err != nil {
		s.t.Fatal(err)
	}
}

// layout is where each instance is, "slot of stream": host, without the network's domain;
// "(pending)" with its reason's code for what waits.
func layout(status stream.Status) map[string]string {
	out := map[string]string{}
	for _, s := range status.Streams {
		for _, slot := range s.Slots {
			where := string(slot.State) + " " + string(slot.Code)
			if slot.Shown() == string(stream.Running) {
				where, _, _ = strings.Cut(slot.Host, ".example.org")
			}
			out[s.Key+" "+slot.Name] = where
		}
	}
	return out
}

// apartFrom tells whether two instances run, on different hosts.
func apartFrom(got map[string]string, a, b string) bool {
	return got[a] != "" && got[b] != "" && !strings.Contains(got[a]+got[b], "pending") && got[a] != got[b]
}

// TestRecipes starts each network of the page and looks that it comes up as the page says.
func TestRecipes(t *testing.T) {
	t.Parallel()
	all := recipes(t)
	expected := []struct {
		streams []string // of the ingest, or named by API
		listing string
		add     [][]string
		here    map[string]string
		so      func(got map[string]string) bool
	}{
		{streams: []string{"s1"}, here: map[string]string{"s1 transcode": "daffy.alb", "s1 origin@live.ber.example.org": "live.ber", "s1 origin@live.fra.example.org": "live.fra"}},
		{streams: []string{"s1", "loop1"}, here: map[string]string{"s1 sink": "sink-fra-1", "loop1 sink": "sink-fra-1", "s1 transcode": "encoder-fra-1", "loop1 transcode": "encoder-irun-1"}},
		{
			streams: []string{"k1105", "h2213"}, listing: `{"key":"k1105","laptop":"voctop12"}` + "\n" + `{"key":"h2213","laptop":"voctop3"}`,
			here: map[string]string{"k1105 dump": "dump0", "k1105 dump_ext": "dump.offsite", "h2213 dump": "dump0"},
			so: func(got map[string]string) bool {
				return strings.HasPrefix(got["k1105 hls"], "backend") && got["k1105 thumb"] == got["k1105 hls"] && got["h2213 thumb"] == got["h2213 hls"] &&
					apartFrom(got, "k1105 hls", "h2213 hls") && strings.HasPrefix(got["k1105 stills"], "control")
			},
		},
		{streams: []string{"room1"}, so: func(got map[string]string) bool {
			return strings.HasPrefix(got["room1 high"], "transcoder") && got["room1 dash_high"] == got["room1 high"] && got["room1 dash_mid"] == got["room1 mid"] &&
				got["room1 dash_low"] == got["room1 low"] && strings.HasPrefix(got["room1 dump"], "transcoder")
		}},
		{streams: []string{"zuid", "west", "noord"}, so: func(got map[string]string) bool {
			return !slices.ContainsFunc([]string{"zuid", "west", "noord"}, func(key string) bool {
				return !apartFrom(got, key+" playout.1", key+" playout.2") || !apartFrom(got, key+" logger.1", key+" logger.2")
			})
		}},
		{
			streams: []string{"ev7", "ev8"}, listing: `{"key":"ev7","room":"hs1"}` + "\n" + `{"key":"ev8","room":"hs2"}`,
			here: map[string]string{"ev7 record": "agent-hs1", "ev7 backup": "backup-hs1", "ev8 record": "agent-hs2", "ev8 backup": "pending " + string(stream.CodeNoHost)},
		},
		{
			add:  [][]string{{"EG_1", "--chain", "room", "request=x"}, {"EG_2", "--chain", "web,track", "request=x"}, {"EG_3", "--chain", "room", "request=x"}},
			here: map[string]string{"EG_3 room": "pending " + string(stream.CodePoolFull)},
			so:   func(got map[string]string) bool { return apartFrom(got, "EG_1 room", "EG_2 web") },
		},
		{add: [][]string{{"r1", "--chain", "recorder", "url=https://meet.example/x"}, {"r2", "--chain", "recorder", "url=https://meet.example/x"}, {"r3", "--chain", "recorder", "url=https://meet.example/x"}}, so: func(got map[string]string) bool {
			return apartFrom(got, "r1 recorder", "r2 recorder") && apartFrom(got, "r2 recorder", "r3 recorder") && apartFrom(got, "r1 recorder", "r3 recorder")
		}},
	}
	if len(all) != len(expected) {
		t.Fatalf("the page has %d networks; want %d", len(all), len(expected))
	}
	for i, r := range all {
		t.Run(r.title, func(t *testing.T) {
			want := expected[i]
			redis := realtest.Redis(t)
			s := newStandIns(t, want.streams, want.listing)
			keys := append([]string{"x"}, want.streams...)
			for _, host := range r.own() {
				name := hostName.FindStringSubmatch(host.text)
				if name == nil {
					t.Fatalf("%s.yaml names no host", host.name)
				}
				var files []string
				for _, text := range r.of(host.name) {
					files = append(files, s.use(text, keys))
				}
				realrun.StartOf(t, name[1], redis.URL(), append(files, "lease: {ttl: 6s, beat: 500ms}\nnetwork: {namespace: \"\"}\n")...)
			}
			for _, words := range want.add {
				// The next comes when the last has its place, or either may get what there is.
				realtest.Await(t, time.Minute, "what was added waits", func() bool {
					time.Sleep(100 * time.Millisecond)
					return !slices.ContainsFunc(slices.Collect(maps.Values(layout(realrun.Status(t, redis.URL())))), func(where string) bool { return strings.Contains(where, " ") })
				})
				realtest.Await(t, time.Minute, "the stream is not taken", func() bool {
					_, _, code := realrun.Command(t, redis.URL(), append([]string{"streams", "add"}, words...)...)
					return code == 0
				})
			}
			var got map[string]string
			defer func() {
				if t.Failed() {
					t.Logf("as it is: %v", got)
				}
			}()
			realtest.Await(t, time.Minute, "the network is not as its page says", func() bool {
				time.Sleep(200 * time.Millisecond) // each look is a process
				got = layout(realrun.Status(t, redis.URL()))
				for name, where := range want.here {
					if got[name] != where {
						return false
					}
				}
				return want.so == nil || want.so(got)
			})
		})
	}
}
