package sources

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"stream-api/stream"
)

type parser func(body []byte, pull string) (listing, error)

func nginxParser(body []byte, pull string) (listing, error) {
	l, _, err := parseNginxRTMP(body, pull)
	return l, err
}

func mediaMTXParser(body []byte, pull string) (listing, error) {
	l, _, err := parseMediaMTX(body, pull)
	return l, err
}

func srsParser(body []byte, pull string) (listing, error) {
	l, _, err := parseSRS(body, pull)
	return l, err
}

// mounts makes a listing short to write down: one line a mount.
func mounts(l listing) []string {
	var lines []string
	for _, m := range l.mounts {
		line := fmt.Sprintf("%s [%s] %d", m.Key, m.Session, m.Bytes)
		for _, name := range []string{"url", "content_type", "name", "description", "genre", "bitrate", "width", "height", "frame_rate", "video_codec", "audio_codec", "codecs", "source_type", "vhost"} {
			if value, ok := m.Vars[name]; ok {
				line += " " + name + "=" + value
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func TestRecordedAnswersAreRead(t *testing.T) {
	t.Parallel()
	const icecastMounts = "http://in:8000"
	for _, c := range []struct {
		file  string
		parse parser
		pull  string
		want  []string
	}{
		{"icecast-2.4.4-status.json", parseIcecastJSON, icecastMounts, []string{
			`$(id) [2026-11-22T15:17:06+0000] -1 url=http://in:8000/$(id) content_type=video/webm name="listenurl":"http://x/evil"`,
			`a/s1 [2026-11-22T15:17:06+0000] -1 url=http://in:8000/a/s1 content_type=video/webm name=-`,
			`q2 [2026-11-22T15:17:06+0000] -1 url=http://in:8000/q2 content_type=video/webm name=a"b\c <x> & ünï description=-00 genre=1e5`,
			`s1 [2026-11-22T15:17:06+0000] -1 url=http://in:8000/s1 content_type=video/webm`,
		}},
		{"icecast-2.4.4-stats.xml", parseIcecastXML, icecastMounts, []string{
			`$(id) [2026-11-22T15:17:06+0000] 0 url=http://in:8000/$(id) content_type=video/webm name="listenurl":"http://x/evil"`,
			`a/s1 [2026-11-22T15:17:06+0000] 0 url=http://in:8000/a/s1 content_type=video/webm name=-`,
			`q2 [2026-11-22T15:17:06+0000] 0 url=http://in:8000/q2 content_type=video/webm name=a"b\c <x> & ünï description=-00 genre=1e5`,
			`s1 [2026-11-22T15:17:06+0000] 0 url=http://in:8000/s1 content_type=video/webm`,
		}},
		{"icecast-2.4-hidden-first.json", parseIcecastJSON, icecastMounts, []string{
			`s1 [] -1 url=http://in:8000/s1 content_type=video/webm`,
			`s2 [] -1 url=http://in:8000/s2 content_type=video/webm name=- genre=5.`,
		}},
		{"icecast-2.4-relay.json", parseIcecastJSON, icecastMounts, []string{
			`radio.mp3 [Sun, 22 Nov 2026 09:07:54 +0000] -1 url=http://in:8000/radio.mp3 content_type=audio/mpeg name=true bitrate=128`,
		}},
		{"icecast-2.5-publicstats.json", parseIcecastPublic, icecastMounts, []string{
			`a/s1 [2026-08-10T10:00:01+0000] -1 url=http://in:8000/a/s1`,
			`s1 [] -1 url=http://in:8000/s1`, // the first mount's fields are not believed
		}},
		{"nginx-rtmp-1.1.4-stat.xml", nginxParser, "rtmp://in", []string{
			`live/s1 [1] 33978 url=rtmp://in/live/s1 width=64 height=48 frame_rate=5 video_codec=H264 audio_codec=AAC`,
			`other/<b>&x [3] 33978 url=rtmp://in/other/<b>&x width=64 height=48 frame_rate=5 video_codec=H264 audio_codec=AAC`,
		}},
		{"srtrelay-streams.json", parseSrtrelay, "srt://in:1337", []string{
			`s1 [2026-11-24T23:55:27.265206348+01:00] -1 url=srt://in:1337?streamid=play/s1`,
			`s2 [2026-11-24T23:56:00.1+01:00] -1 url=srt://in:1337?streamid=play/s2`,
		}},
		{"mediamtx-paths-0.json", mediaMTXParser, "rtsp://in:8554", []string{
			`s1 [9b1a6f0e-0000-4000-8000-000000000001] 123456 url=rtsp://in:8554/s1 codecs=H264,MPEG-4 Audio source_type=rtmpConn`,
			`cam/1 [] 99 url=rtsp://in:8554/cam/1 codecs=H265 source_type=rtspSource`,
		}},
		{"mediamtx-paths-1.json", mediaMTXParser, "rtsp://in:8554", []string{
			`old [9b1a6f0e-0000-4000-8000-000000000002] 77 url=rtsp://in:8554/old codecs=H264 source_type=srtConn`,
		}},
		{"srs-streams.json", srsParser, "rtmp://in", []string{
			`live/s1 [0454644q] 951036 url=rtmp://in/live/s1 width=640 height=360 video_codec=H264 audio_codec=AAC`,
			`video.example.org/live/s1 [abc] 5 url=rtmp://in/live/s1?vhost=video.example.org vhost=video.example.org`,
			`live/test [824] 19727822 url=rtmp://in/live/test`,
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			l, err := c.parse(testdata(t, c.file), c.pull)
			if err != nil {
				t.Fatal(err)
			}
			if got := mounts(l); !reflect.DeepEqual(got, c.want) {
				t.Errorf("read\n %s\nwant\n %s", strings.Join(got, "\n "), strings.Join(c.want, "\n "))
			}
		})
	}
}

// A cut-off answer lists fewer streams than are live; taken for good, it would
// end the others.
func TestCutOffAnswersAreNeverGood(t *testing.T) {
	t.Parallel()
	for file, parse := range recorded {
		body := testdata(t, file)
		trimmed := len(strings.TrimRight(string(body), " \r\n"))
		for n := range trimmed {
			if l, err := parse(body[:n], ""); err == nil {
				t.Errorf("%s cut after %d of %d bytes reads as %q", file, n, trimmed, mounts(l))
				break
			}
		}
	}
}

var recorded = map[string]parser{
	"icecast-2.4.4-status.json":    parseIcecastJSON,
	"icecast-2.4-relay.json":       parseIcecastJSON,
	"icecast-2.4.4-stats.xml":      parseIcecastXML,
	"icecast-2.5-publicstats.json": parseIcecastPublic,
	"nginx-rtmp-1.1.4-stat.xml":    nginxParser,
	"srtrelay-streams.json":        parseSrtrelay,
	"mediamtx-paths-0.json":        mediaMTXParser,
	"srs-streams.json":             srsParser,
}

func TestAnswersOfAnotherKindAreRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", " \n", "null", "0", `"icestats"`, "{}", "[]x", `{"icestats"`, "<html><body>502 Bad Gateway</body></html>", "<!DOCTYPE html>",
		"Not found\n", `{"error":"no such path"}`, `{"code":100}`, `{"code":0}`, "\xff\xfe\x00", "<rtmp>", "<icestats>", "<rtmp/><rtmp/>", "<icestats></rtmp>",
		strings.Repeat("[", 1<<20), strings.Repeat(`{"a":`, 1<<20), strings.Repeat("<a>", 1<<20), `<!DOCTYPE icestats [<!ENTITY a "b">]><icestats/>`,
	} {
		for file, parse := range recorded {
			// An empty list and null are what a relay without streams says.
			if file == "srtrelay-streams.json" && body == "null" {
				continue
			}
			if l, err := parse([]byte(body), ""); err == nil {
				t.Errorf("parser of %s takes %s for an answer: %q", file, stream.Quote(body), mounts(l))
			}
		}
	}
}

func TestEmptyAnswersAreGood(t *testing.T) {
	t.Parallel()
	for body, parse := range map[string]parser{
		`{"icestats":{"server_id":"Icecast 2.4.4","dummy":null}}`: parseIcecastJSON,
		`{"icestats":{}}`: parseIcecastJSON,
		"<?xml version=\"1.0\"?>\n<icestats><sources>0</sources></icestats>":                parseIcecastXML,
		`[{"name":"icestats","ns":"x"},{"server_id":"Icecast 2.5.0"}]`:                      parseIcecastPublic,
		"<rtmp><server><application><name>live</name><live/></application></server></rtmp>": nginxParser,
		"[]":                         parseSrtrelay,
		"null\n":                     parseSrtrelay,
		`{"pageCount":0,"items":[]}`: mediaMTXParser,
		`{"code":0,"streams":[]}`:    srsParser,
	} {
		if l, err := parse([]byte(body), ""); err != nil || len(l.mounts) != 0 {
			t.Errorf("%s: %q, %v; want an empty list", body, mounts(l), err)
		}
	}
}

func TestOneMountsRubbishHarmsNoOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parse parser
		body  string
	}{
		"icecast number":  {parseIcecastJSON, `{"icestats":{"source":[5,{"listenurl":"http://h/s1","server_type":"x"},null,[[{}]]]}}`},
		"icecast bare":    {parseIcecastJSON, `{"icestats":{"source":[{"server_name":-.5,"listenurl":"http://h/s1","genre": - ,"server_type":"x","title":}]}}`},
		"icecast escapes": {parseIcecastJSON, `{"icestats":{"source":{"server_name":"\x \u12 ` + "\x01\xff" + `","listenurl":"http://h/s1","server_type":"x"}}}`},
		"icecast no url":  {parseIcecastJSON, `{"icestats":{"source":[{"server_type":"x"},{"listenurl":null,"server_type":"x"},{"listenurl":"http://h/s1","server_type":"x"}]}}`},
		"xml latin1":      {parseIcecastXML, "<icestats><source mount=\"/s1\"><server_name>\xfc\x01&#1;&nbsp;&</server_name><server_type>x</server_type></source></icestats>"},
		"nginx nameless":  {nginxParser, "<rtmp><server><application><name>a</name><live><stream><publishing/></stream></live></application><application><live><stream><name>s1</name><publishing/></stream></live></application></server></rtmp>"},
		"srtrelay":        {parseSrtrelay, `[1,{},{"name":null},{"name":"s1"}]`},
		"mediamtx":        {mediaMTXParser, `{"items":[[],{"name":7e,"ready":false},{"name":"s1","ready":true,"source":[],"tracks":{}}],"pageCount":"x"}`},
		"srs":             {srsParser, `{"code":0,"streams":[{},"x",{"publish":{"active":true}},{"url":"/s1","publish":{"active":true},"video":[],"audio":5}]}`},
	} {
		l, err := c.parse([]byte(c.body), "http://in")
		if err != nil || len(l.mounts) != 1 || strings.TrimPrefix(l.mounts[0].Key, "/") != "s1" {
			t.Errorf("%s: %q, %v; want s1 alone", name, mounts(l), err)
		}
	}
}

func TestAnswerWithoutAnyReadableEntryIsUnknown(t *testing.T) {
	t.Parallel()
	if l, err := parseSrtrelay([]byte(`[{"stream":"s1"},{"stream":"s2"}]`), ""); err == nil {
		t.Errorf("entries of another format read as an empty list: %v", l)
	}
}

// The dearest answers of the largest size: they cost no more than a moment and
// a bounded share of memory.
func TestLargestAnswersAreBounded(t *testing.T) {
	nested := strings.Repeat("[", maxDepth-4) + strings.Repeat("]", maxDepth-4) + ","
	for name, c := range map[string]struct {
		parse            parser
		head, body, tail string
	}{
		"srtrelay, a million names": {parseSrtrelay, "[", `{"name":"a"},`, "1]"},
		"srtrelay, empty entries":   {parseSrtrelay, `[{"name":"a"},`, `{},`, "1]"},
		"srtrelay, one long name":   {parseSrtrelay, `[{"name":"`, `\u0041`, `"}]`},
		"srtrelay, nested":          {parseSrtrelay, `[{"name":"a"},`, nested, "1]"},
		"icecast, one long mount":   {parseIcecastJSON, `{"icestats":{"source":{`, `"server_name":"x\n",`, `"listenurl":"http://h/s1","server_type":"x"}}}`},
		"icecast, mounts":           {parseIcecastJSON, `{"icestats":{"source":[`, `{"listenurl":"a://b/c","server_type":1},`, `1]}}`},
		"icecast, bare":             {parseIcecastJSON, `{"icestats":{"source":[`, `-,`, `{"listenurl":"a://b/c","server_type":1}]}}`},
		"2.5, mounts":               {parseIcecastPublic, `[{"ns":"x"},{"source":{`, `"/a":{},`, `"/b":{}}}]`},
		"xml, mounts":               {parseIcecastXML, `<icestats>`, `<source mount="/a"><server_type/></source>`, `</icestats>`},
		"xml, text in pieces":       {parseIcecastXML, `<icestats><source mount="/a"><server_type>`, `a<!---->`, `</server_type></source></icestats>`},
		"xml, entities":             {parseIcecastXML, `<icestats><source mount="/a"><server_type>`, `&`, `</server_type></source></icestats>`},
		"xml, attributes":           {parseIcecastXML, `<icestats><source `, `a="" `, `mount="/a"><server_type/></source></icestats>`},
		"xml, quotes":               {parseIcecastXML, `<icestats>`, `<a b="`, `></icestats>`},
		"nginx, streams":            {nginxParser, `<rtmp><server><application><name>a</name><live>`, `<stream><name>a</name><publishing/></stream>`, `</live></application></server></rtmp>`},
		"mediamtx, paths":           {mediaMTXParser, `{"items":[`, `{"name":"a","ready":true},`, `1]}`},
		"srs, ended streams":        {srsParser, `{"code":0,"streams":[`, `{},`, `{}]}`},
		"exec, keys":                {parseExec, "", "a\n", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(c.head + strings.Repeat(c.body, (defaultLimit-len(c.head)-len(c.tail))/len(c.body)) + c.tail)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			start := time.Now()
			l, err := c.parse(body, "http://in")
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			if took > 10*time.Minute || allocated > 256 { // anything quadratic takes hours
				t.Errorf("%d mounts, %v: took %v and %d MiB", len(l.mounts), err, took, allocated)
			}
			t.Logf("%d mounts, error %v, %v, %d MiB", len(l.mounts), err, took, allocated)
		})
	}
}

func TestFactsAreFitForAnEnvironment(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"  plain ":                      "plain",
		"two\nlines\x00nul\x1b[31m":     "two lines nul [31m",
		"\xff\xfebad utf8":              "bad utf8",
		strings.Repeat("ü", 400):        strings.Repeat("ü", 256),
		"x" + strings.Repeat("€", 400):  "x" + strings.Repeat("€", 170),
		strings.Repeat("x", 600):        strings.Repeat("x", 512),
		"line\u2028separator\u0085next": "line separator next",
	} {
		if got := cleanFact(in); got != want {
			t.Errorf("cleanFact(%q) = %q, want %q", in, got, want)
		}
	}
}
