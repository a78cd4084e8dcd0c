package sources

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// recordings are what real servers answered, and what that says: the streams
// that are live, and where to pull each. testdata/README.md tells how each of
// them came about.
var recordings = []struct {
	server, pull string
	parse        parser
	answers      map[string][]string // file → key and URL of each live stream, sorted
}{
	{"mediamtx-1.20.1", "rtsp://in:8554", mediaMTXParser, map[string][]string{
		"paths-0.json":                           nil,
		"paths-1-publisher.json":                 {"s1 rtsp://in:8554/s1"},
		"paths-configured-nobody-publishes.json": nil,
		"paths-3-publishers-and-configured.json": {
			"live/de/s2 rtsp://in:8554/live/de/s2", "mirror rtsp://in:8554/mirror", "s1 rtsp://in:8554/s1", "s3 rtsp://in:8554/s3"},
		"paths-always-available-published.json": {
			"always1 rtsp://in:8554/always1", "live/de/s2 rtsp://in:8554/live/de/s2", "mirror rtsp://in:8554/mirror", "s1 rtsp://in:8554/s1",
			"s3 rtsp://in:8554/s3"},
	}},
	{"mediamtx-1.9.3", "rtsp://in:8554", mediaMTXParser, map[string][]string{
		"paths-1-publisher.json":                 {"s3 rtsp://in:8554/s3"},
		"paths-configured-nobody-publishes.json": nil,
		"paths-3-publishers.json": {
			"live/de/s2 rtsp://in:8554/live/de/s2", "mirror rtsp://in:8554/mirror", "s1 rtsp://in:8554/s1", "s3 rtsp://in:8554/s3"},
	}},
	{"srtrelay-1.4.0-11", "srt://in:1337", parseSrtrelay, map[string][]string{
		"streams-0.json": nil,
		"streams-1.json": {"s1 srt://in:1337?streamid=play/s1"},
		"streams-3.json": {
			"live/de/s3 srt://in:1337?streamid=#!::m=request,r=live/de/s3", "s1 srt://in:1337?streamid=play/s1", "s2 srt://in:1337?streamid=play/s2"},
	}},
	{"srs-6.0.157", "rtmp://in", srsParser, map[string][]string{
		"streams-0.json": nil,
		"streams-1.json": {"live/s1 rtmp://in/live/s1"},
		"streams-4-vhosts-subpath.json": {
			"live/de/s2 rtmp://in/live/de/s2", "live/s1 rtmp://in/live/s1", "other/s1 rtmp://in/other/s1",
			"tv.example.org/live/s3 rtmp://in/live/s3?vhost=tv.example.org"},
		"streams-ended-stalled-and-waiting-player.json": {
			"live/de/s2 rtmp://in/live/de/s2", "tv.example.org/live/s3 rtmp://in/live/s3?vhost=tv.example.org"},
		// What may not be a key is refused later, by itself.
		"streams-odd-names.json": {
			"live/-dash rtmp://in/live/-dash", "live/a rtmp://in/live/a", "live/s1 rtmp://in/live/s1", "live/s_1~x rtmp://in/live/s_1~x",
			"live/ümlaut rtmp://in/live/ümlaut"},
	}},
	{"srs-4.0.271", "rtmp://in", srsParser, map[string][]string{
		"streams-0.json": nil, "streams-ended.json": nil, "streams-vhosts-subpath.json": nil,
	}},
	{"icecast-2.4.4", "http://in:8000", parseIcecast, map[string][]string{
		"admin-stats-0-with-relays.xml":                        icecastMounts("relayed.mp3"),
		"status-json-0-with-relays.json":                       icecastMounts("relayed.mp3"),
		"admin-stats-1-with-relays.xml":                        icecastMounts("relayed.mp3", "s1.mp3"),
		"status-json-1-with-relays.json":                       icecastMounts("relayed.mp3", "s1.mp3"),
		"admin-stats-several.xml":                              icecastMounts("hidden.mp3", "relayed.mp3", "s1.mp3", "s3.ogg", "saal-ü.mp3", "sub/dir/x.mp3"),
		"status-json-several.json":                             icecastMounts("relayed.mp3", "s1.mp3", "s3.ogg", "saal-ü.mp3", "sub/dir/x.mp3"),
		"admin-stats-relay-master-gone-fallback-listener.xml":  icecastMounts("hidden.mp3", "s1.mp3", "s3.ogg", "saal-ü.mp3", "sub/dir/x.mp3"),
		"status-json-relay-master-gone-fallback-listener.json": icecastMounts("s1.mp3", "s3.ogg", "saal-ü.mp3", "sub/dir/x.mp3"),
	}},
	{"icecast-2.5.0-rc1", "http://in:8000", parseIcecast, map[string][]string{
		"admin-stats-0.json": nil, "admin-stats-0.xml": nil, "publicstats-0.json": nil, "status-json-0.json": nil,
		"admin-stats-1.json": icecastMounts("s1.mp3"), "admin-stats-1.xml": icecastMounts("s1.mp3"),
		"publicstats-1.json": icecastMounts("s1.mp3"), "status-json-1.json": icecastMounts("s1.mp3"),
		"admin-stats-4-one-hidden.json": icecastMounts("hidden.mp3", "live/de/s2.mp3", "s1.mp3", "s3.ogg"),
		"admin-stats-4-one-hidden.xml":  icecastMounts("hidden.mp3", "live/de/s2.mp3", "s1.mp3", "s3.ogg"),
		"publicstats-4-one-hidden.json": icecastMounts("live/de/s2.mp3", "s1.mp3", "s3.ogg"),
		"status-json-4-one-hidden.json": icecastMounts("live/de/s2.mp3", "s1.mp3", "s3.ogg"),
	}},
	{"nginx-rtmp-1.1.4", "rtmp://in", nginxParser, map[string][]string{
		"stat-1-and-waiting-player.xml": {"live/st rtmp://in/live/st"},
	}},
	{"nginx-rtmp-1.1.4-2workers", "rtmp://in", nginxParser, map[string][]string{
		"stat-worker-a.xml": {"live/s1 rtmp://in/live/s1"},
		"stat-worker-b.xml": {"live/s2 rtmp://in/live/s2", "live/s3 rtmp://in/live/s3"},
	}},
}

func icecastMounts(keys ...string) []string {
	lines := make([]string, 0, len(keys))
	for _, key := range keys {
		lines = append(lines, key+" http://in:8000/"+key)
	}
	return lines
}

// parseIcecast reads any of Icecast's formats; which one a test gets follows
// from its first bytes.
func parseIcecast(body []byte, pull string) (listing, error) {
	switch text := string(body); {
	case strings.HasPrefix(text, "<"):
		return parseIcecastXML(body, pull)
	case strings.HasPrefix(text, "["):
		return parseIcecastPublic(body, pull)
	}
	return parseIcecastJSON(body, pull)
}

func TestRecordedAnswersOfRealServersGiveTheStreamsThatAreLive(t *testing.T) {
	t.Parallel()
	read := 0
	for _, c := range recordings {
		for file, want := range c.answers {
			read++
			l, err := c.parse(testdata(t, "recorded/"+c.server+"/"+file), c.pull)
			if err != nil {
				t.Errorf("%s/%s: %v", c.server, file, err)
				continue
			}
			got := make([]string, 0, len(l.mounts))
			for _, m := range l.mounts {
				got = append(got, m.Key+" "+m.Vars["url"])
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s/%s: live are\n %s\nwant\n %s", c.server, file, strings.Join(got, "\n "), strings.Join(want, "\n "))
			}
		}
	}
	there := 0
	err := fs.WalkDir(os.DirFS(filepath.Join("testdata", "recorded")), ".", func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			there++
		}
		return err
	})
	if err != nil || read != there {
		t.Errorf("%d recordings are read, %d are there (%v)", read, there, err)
	}
}

// Where a server's names are no path below one base, pull says where they go.
func TestPullTakesAPlaceForTheName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pull, file string
		parse      parser
		want       string // of the first stream
	}{
		{"srt://in:8890?streamid=read:${stream:key}", "mediamtx-1.20.1/paths-1-publisher.json", mediaMTXParser, "srt://in:8890?streamid=read:s1"},
		{"http://in:8888/${stream:key}/index.m3u8", "mediamtx-1.20.1/paths-1-publisher.json", mediaMTXParser, "http://in:8888/s1/index.m3u8"},
		{"http://in:8080/hls/${stream:key}.m3u8", "nginx-rtmp-1.1.4-2workers/stat-worker-a.xml", nginxParser, "http://in:8080/hls/live/s1.m3u8"},
		{"http://in/${stream:key}?type=x", "icecast-2.4.4/admin-stats-0-with-relays.xml", parseIcecastXML, "http://in/relayed.mp3?type=x"},
		{"http://in:8080/${stream:key}.flv", "srs-6.0.157/streams-4-vhosts-subpath.json", srsParser, "http://in:8080/live/s3.flv?vhost=tv.example.org"},
		{"srt://in:10080?streamid=#!::r=${stream:key},m=request", "srs-6.0.157/streams-1.json", srsParser, "srt://in:10080?streamid=#!::r=live/s1,m=request"},
		{"srt://in:1337?latency=5", "srtrelay-1.4.0-11/streams-3.json", parseSrtrelay, "srt://in:1337?latency=5&streamid=#!::m=request,r=live/de/s3"},
		{"srt://in:1337?streamid=#!::m=request,r=${stream:key},s=pw", "srtrelay-1.4.0-11/streams-1.json", parseSrtrelay, "srt://in:1337?streamid=#!::m=request,r=s1,s=pw"},
	} {
		l, err := c.parse(testdata(t, "recorded/"+c.file), c.pull)
		if err != nil || len(l.mounts) == 0 || l.mounts[0].Vars["url"] != c.want {
			t.Errorf("%s of %s: %v, %v; want %s", c.pull, c.file, mounts(l), err, c.want)
		}
	}
	for _, pull := range []string{"srt://in:8890?streamid=read:", "http://in?", "rtmp://in/live#x"} {
		if _, err := timed(Config{Name: "x", Type: "mediamtx", URL: "http://in:9997", Pull: pull}).complete(); err == nil || !strings.Contains(err.Error(), "${stream:key}") {
			t.Errorf("pull %s without a place: %v", pull, err)
		}
	}
}
