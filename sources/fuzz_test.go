package sources

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"stream-api/stream"
)

// Seeds run with every `go test`; `go test -fuzz FuzzX -fuzzminimizetime 50x ./sources`
// runs long. Without the limit it spends its time on shortening the long seeds.

func fuzzParser(f *testing.F, parse parser, files ...string) {
	for _, file := range files {
		f.Add(testdata(f, file))
	}
	for _, seed := range []string{"", "null", "[]", "{}", "<a/>", "{\"icestats\":{\"source\":-}}", "[{\"name\":\"\\ud800\"}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := parse(body, "http://in")
		if err != nil {
			if len(l.mounts) > 0 {
				t.Fatalf("an error together with %d mounts: %v", len(l.mounts), err)
			}
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 600 {
				t.Fatalf("an error unfit to be shown: %q", err)
			}
			return
		}
		checkMounts(t, l)
	})
}

// checkMounts is what judging and announcing rely on.
func checkMounts(t *testing.T, l listing) {
	c := Config{Chain: []string{"dist"}}
	for _, m := range l.mounts {
		if m.Key == "" || m.Bytes < -1 {
			t.Fatalf("mount %+v", m)
		}
		for name, value := range m.Vars {
			if strings.ContainsRune(value, 0) && name != "url" {
				t.Fatalf("%s has a NUL: %q", name, value)
			}
		}
		v := c.judge(m)
		if v.refused == "" && !v.ignored {
			if _, err := stream.DecodeAnnouncement(v.encoded); err != nil {
				t.Fatalf("mount %+v makes an announcement that cannot be read: %v", m, err)
			}
		}
	}
}

func FuzzIcecastJSON(f *testing.F) {
	fuzzParser(f, parseIcecastJSON, "icecast-2.4.4-status.json", "icecast-2.4-hidden-first.json", "icecast-2.4-relay.json")
}

func FuzzIcecastXML(f *testing.F) { fuzzParser(f, parseIcecastXML, "icecast-2.4.4-stats.xml") }

func FuzzIcecastPublic(f *testing.F) {
	fuzzParser(f, parseIcecastPublic, "icecast-2.5-publicstats.json")
}

func FuzzNginxRTMP(f *testing.F) { fuzzParser(f, nginxParser, "nginx-rtmp-1.1.4-stat.xml") }

func FuzzSrtrelay(f *testing.F) { fuzzParser(f, parseSrtrelay, "srtrelay-streams.json") }

func FuzzMediaMTX(f *testing.F) {
	fuzzParser(f, mediaMTXParser, "mediamtx-paths-0.json", "mediamtx-paths-1.json")
}

func FuzzSRS(f *testing.F) { fuzzParser(f, srsParser, "srs-streams.json") }

func FuzzExec(f *testing.F) {
	f.Add([]byte("s1\n\n{\"key\":\"s2\",\"lang\":\"de\",\"n\":1e5,\"session\":\"x\",\"bytes\":7}\n"))
	f.Add([]byte("{\"key\":\"s2\",\"a\":{}}\n"))
	fuzzParser(f, parseExec)
}

// Whatever is valid JSON reads the same as by encoding/json.
func FuzzJSONScannerAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{`{"a":"b\u00e9\n","c":[1,-2.5e3,true,null,{}]}`, `"\ud83d\ude00 \ud800"`, ` [ ] `, "\"\xff\"", `{"":""}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var want any
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.UseNumber()
		if !json.Valid(body) || decoder.Decode(&want) != nil {
			return
		}
		s := jsonScanner{b: body}
		got, err := scanAny(&s)
		if err == nil {
			err = s.end()
		}
		if err == errDeep {
			return
		}
		if err != nil {
			t.Fatalf("valid JSON is refused: %v", err)
		}
		if g, w := plainJSON(t, got), plainJSON(t, want); g != w {
			t.Fatalf("read %s, want %s", g, w)
		}
	})
}

func plainJSON(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// scanAny reads any value into the types of encoding/json.
func scanAny(s *jsonScanner) (any, error) {
	switch c := s.peek(); c {
	case '{':
		m := map[string]any{}
		return m, s.object(func(name []byte) (err error) {
			m[unescape(name)], err = scanAny(s)
			return err
		})
	case '[':
		list := []any{}
		err := s.array(func() error {
			v, err := scanAny(s)
			list = append(list, v)
			return err
		})
		return list, err
	case '"':
		return s.text()
	default:
		text, err := s.text()
		switch text {
		case "":
			return nil, err
		case "true", "false":
			return text == "true", err
		}
		return json.Number(text), err
	}
}

func FuzzPlaces(f *testing.F) {
	for _, seed := range []string{"srt://in:1337?streamid=#!::m=publish,r=live/de/s1,s=pw", "rtmp://in/live?vhost=v.example/out", "http://[::1]:8/a%2fb", "a://b?streamid=publish:%zz", "x://@:/?#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, at := range Places(text) {
			if at.Host == "" || at.Name == "" {
				t.Fatalf("%q is at %+v", text, at)
			}
		}
	})
}
