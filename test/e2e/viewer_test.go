package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// viewer asks once a second for what a stream is made of.
type viewer struct {
	base string

	mu       sync.Mutex
	requests int
	failed   []string
	rounds   map[string]int // by who served, as the edge says
	ended    bool           // a playlist said that nothing comes any more
}

// watch lets a viewer ask until the test stops it; look is one round, and tells who served it.
func (v *viewer) watch(t *testing.T, look func() string) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			by := look()
			v.mu.Lock()
			v.rounds[by]++
			v.mu.Unlock()
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	}()
	stop = sync.OnceFunc(func() { close(over); <-done })
	t.Cleanup(stop)
	return stop
}

// get reads up to so many bytes of what is there; what fails is noted.
func (v *viewer) get(path string, limit int64) (text, by string) {
	text, by, err := fetch(v.base+path, limit)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.requests++; err != nil {
		v.failed = append(v.failed, fmt.Sprintf("%s %s: %v", time.Now().Format("15:04:05.000"), path, err))
	}
	return text, by
}

func fetch(url string, limit int64) (text, by string, err error) {
	client := http.Client{Timeout: 20 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }() // only read from
	if resp.StatusCode != http.StatusOK {
		return "", "", fmt.Errorf("%s, of %q", resp.Status, resp.Header.Get("X-Dist"))
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	if err == nil && len(b) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return string(b), resp.Header.Get("X-Dist"), err
}

// hls fetches the playlist and every segment that it names.
func (v *viewer) hls() string {
	list, by := v.get("/s1/live.m3u8?stream=s1", 1<<20)
	for line := range strings.Lines(list) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#EXT-X-ENDLIST"):
			v.mu.Lock()
			v.ended = true
			v.mu.Unlock()
		case line != "" && !strings.HasPrefix(line, "#"):
			v.get(line, 1<<20)
		}
	}
	return by
}

// icecast listens for a moment.
func (v *viewer) icecast() string {
	_, by := v.get("/s1?stream=s1", 4096)
	return by
}

func (v *viewer) seen(by string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.rounds[by]
}

// seenThroughADrain has a stream distributed by one of two hosts, an edge whose nginx `render` writes, and a viewer
// there; it drains the host, and the viewer misses nothing. dist is the address that each host's slot is known by.
func seenThroughADrain(t *testing.T, yaml, dist map[string]string, template, front string, look func(*viewer) string) *viewer {
	t.Helper()
	redis := realtest.Redis(t)
	for _, host := range []string{"alpha", "beta"} {
		realrun.Start(t, host, redis.URL(), quickLease+"services:\n"+yaml[host])
	}
	realtest.Await(t, time.Minute, "two hosts, and no hold", func() bool {
		status := realrun.Status(t, redis.URL())
		return len(status.Hosts) == 2 && status.Hold == nil
	})
	if _, stderr, code := realrun.Command(t, redis.URL(), "streams", "add", "s1", "--chain", "dist"); code != 0 {
		t.Fatal(stderr)
	}
	lead := func() string {
		for _, s := range realrun.Status(t, redis.URL()).Streams {
			for _, slot := range s.Slots {
				if slot.Lead && slot.Shown() == string(stream.Running) {
					return slot.Host
				}
			}
		}
		return ""
	}
	realtest.Await(t, time.Minute, "s1 is distributed", func() bool { return lead() != "" })
	from := lead()
	to := map[string]string{"alpha": "beta", "beta": "alpha"}[from]

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.tmpl"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := realrun.Command(t, redis.URL(), "render", "-t", filepath.Join(dir, "x.tmpl"), "-o", filepath.Join(dir, "out")); code != 0 {
		t.Fatal(stderr)
	}
	conf, port := nginxServer(t, "include "+dir+"/out;", "add_header X-Dist $dist always; "+front)
	realtest.Nginx(t, conf, port)
	e := followIn(t, redis.URL(), dir, realtest.Program(t, "nginx", "nginx"), "-p", filepath.Dir(conf), "-c", conf, "-s", "reload")

	v := &viewer{base: fmt.Sprintf("http://127.0.0.1:%d", port), rounds: map[string]int{}}
	stop := v.watch(t, func() string { return look(v) })
	realtest.Await(t, time.Minute, "the viewer sees what the first host makes", func() bool { return v.seen(dist[from]) >= 3 })
	if out, stderr, code := realrun.Command(t, redis.URL(), "hosts", "drain", from, "--wait"); code != 0 {
		t.Fatalf("drain: exit %d: %s%s", code, out, stderr)
	}
	realtest.Await(t, time.Minute, "the viewer sees what the other host makes", func() bool { return v.seen(dist[to]) >= 5 })
	stop()
	t.Logf("%d requests, %d failed; rounds: %v", v.requests, len(v.failed), v.rounds)
	if len(v.failed) > 0 {
		t.Errorf("%d of %d requests failed:\n%s\nrender said:\n%s", len(v.failed), v.requests, strings.Join(v.failed, "\n"), e.said())
	}
	return v
}

// Each host has a directory of its own that an nginx serves, which outlives the ffmpeg that writes there.
func TestAViewerOfHLSMissesNothingWhenItsHostIsDrained(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "ffmpeg", "ffmpeg")
	template, err := os.ReadFile("../../deploy/render/nginx.conf.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	yaml, dist := map[string]string{}, map[string]string{}
	for _, host := range []string{"alpha", "beta"} {
		root := t.TempDir()
		base := webRoot(t, root)
		dist[host] = strings.TrimPrefix(base, "http://")
		// An encoder that takes its time: without ready the other host would lead before there is a playlist.
		yaml[host] = "  origin: {plugin: static, stream_vars: {url: \"" + base + "\"}}\n" + bash("dist",
			`mkdir -p $OUT; rm -f $OUT/*; sleep 1; exec `+encode+`-f hls -hls_time 1 -hls_list_size 4 -hls_flags omit_endlist+temp_file -hls_base_url /`+host+`/s1/ $OUT/live.m3u8`,
			"      ready: {http: \""+base+"/s1/live.m3u8\", interval: 200ms, timeout: 1m}\n    handover: start_first\n    stream_vars: {url: \""+base+"/s1/live.m3u8\"}\n",
			"OUT: "+root+"/s1")
	}
	front := `location ~ \.m3u8$ { proxy_pass http://$dist$uri; } location ~ ^/[^/]+(?<path>/.+\.ts)$ { proxy_pass http://$holder$path; }`
	v := seenThroughADrain(t, yaml, dist, string(template), front, (*viewer).hls)
	if v.ended {
		t.Error("a playlist said that the stream is over")
	}
}

// The slot of each host pushes to a mount of its own, and goes on doing so until the edges know of the other.
func TestAListenerOfIcecastMissesNothingWhenItsHostIsDrained(t *testing.T) {
	t.Parallel()
	realtest.Program(t, "ffmpeg", "ffmpeg")
	icecast := realtest.Icecast(t)
	const template = `map $arg_stream $dist {
    default "";
{{- range $slot := slots "dist"}}{{if .Lead}}{{with .Vars.url}}
    "\\{{$slot.Key}}" {{quote .}};
{{- end}}{{end}}{{end}}
}
`
	yaml, dist := map[string]string{}, map[string]string{}
	for _, host := range []string{"alpha", "beta"} {
		mount := "s1-" + host + ".ogg"
		dist[host] = icecast.URL + "/" + mount
		push := fmt.Sprintf("icecast://source:%s@127.0.0.1:%d/%s", icecast.SourcePassword, icecast.Port, mount)
		yaml[host] = bash("dist", `trap '' USR1; sleep 1
ffmpeg -nostdin -loglevel error -re -f lavfi -i sine -c:a libvorbis -content_type application/ogg -f ogg $PUSH &
trap 'sleep 5; kill $!' USR1
wait; wait`,
			"      stop: {signal: USR1, grace: 20s}\n      ready: {http: \""+dist[host]+"\", interval: 200ms, timeout: 1m}\n    handover: start_first\n    stream_vars: {url: \""+dist[host]+"\"}\n",
			"PUSH: \""+push+"\"")
	}
	seenThroughADrain(t, yaml, dist, template, `location / { proxy_buffering off; proxy_pass $dist; }`, (*viewer).icecast)
}
