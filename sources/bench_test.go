package sources

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/stream"
)

// tenThousand are answers with 10,000 mounts, as large as the servers make
// them, with counters that differ from answer to answer.
func icecastAnswer(mounts, turn int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"icestats":{"admin":"a","host":"localhost","server_id":"Icecast 2.4.4","source":[`)
	for i := range mounts {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"audio_info":"channels=2;samplerate=48000","bitrate":128,"genre":"various","listener_peak":%[2]d,"listeners":%[2]d,"listenurl":"http://localhost:8000/room%[1]d/s%[1]d","server_description":"Unspecified description","server_name":"Room %[1]d, \"main\" stage","server_type":"video/webm","server_url":"http://example.org/","stream_start":"Sun, 22 Nov 2026 15:17:06 +0000","stream_start_iso8601":"2026-11-22T15:17:06+0000","title":"Song %[2]d","dummy":null}`, i, turn)
	}
	b.WriteString(`]}}`)
	return b.Bytes()
}

func icecastStatistics(mounts, turn int) []byte {
	var b bytes.Buffer
	b.WriteString("<?xml version=\"1.0\"?>\n<icestats><admin>a</admin>")
	for i := range mounts {
		fmt.Fprintf(&b, `<source mount="/room%[1]d/s%[1]d"><genre>various</genre><listener_peak>0</listener_peak><listeners>%[2]d</listeners><listenurl>http://localhost:8000/s%[1]d</listenurl><max_listeners>unlimited</max_listeners><public>0</public><server_description>Unspecified description</server_description><server_name>Room %[1]d, &quot;main&quot; stage</server_name><server_type>video/webm</server_type><slow_listeners>0</slow_listeners><source_ip>127.0.0.1</source_ip><stream_start>Sun, 22 Nov 2026 15:17:06 +0000</stream_start><stream_start_iso8601>2026-11-22T15:17:06+0000</stream_start_iso8601><total_bytes_read>%[2]d</total_bytes_read><total_bytes_sent>0</total_bytes_sent><user_agent>Lavf/59.27.100</user_agent></source>`, i, turn)
	}
	b.WriteString("</icestats>")
	return b.Bytes()
}

func BenchmarkTenThousandMounts(b *testing.B) {
	for name, c := range map[string]struct {
		answer func(int, int) []byte
		parse  parser
	}{"json": {icecastAnswer, parseIcecastJSON}, "xml": {icecastStatistics, parseIcecastXML}} {
		bodies := [][]byte{c.answer(10_000, 1), c.answer(10_000, 2)}
		b.Run("parse-"+name, func(b *testing.B) {
			b.SetBytes(int64(len(bodies[0])))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if l, err := c.parse(bodies[n%2], "http://in:8000"); err != nil || len(l.mounts) != 10_000 {
					b.Fatal(len(l.mounts), err)
				}
			}
		})
		b.Run("steady-"+name, func(b *testing.B) { benchmarkSteady(b, bodies, c.parse) })
	}
}

// benchmarkSteady is all a poll does here but fetching, nothing having
// changed: parse, judge, survey, stalls, difference.
func benchmarkSteady(b *testing.B, bodies [][]byte, parse parser) {
	p, err := New(timed(Config{Name: "x", URL: "http://in:8000", Chain: []string{"dist"}}), Deps{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		l, err := parse(bodies[n%2], p.cfg.Pull)
		if err != nil {
			b.Fatal(err)
		}
		v := survey(l, p.judge(l.mounts), nil)
		p.stalls.observe(time.Now(), v.bytes, v.earlier)
		upsert, absent, back := difference(v, p.known)
		if n == 0 {
			p.known.Entries = upsert
		} else if len(upsert)+len(absent)+len(back) > 0 {
			b.Fatalf("a difference of %d, %d, %d in a steady state", len(upsert), len(absent), len(back))
		}
	}
}

// The aim is 1 s for the first poll of 10,000 mounts with its announcement,
// and 5 % of a core afterwards: docs/sources.md has what an idle machine does.
func TestTenThousandMountsAreAnnounced(t *testing.T) {
	w := newWorld(t)
	turn := 0
	ingest := hostileServer(t, func(rw http.ResponseWriter, _ *http.Request) {
		turn++
		_, _ = rw.Write(icecastAnswer(10_000, turn))
	})
	start := time.Now()
	p := w.poll(Config{URL: ingest.URL, Interval: 300 * time.Millisecond}, "a")
	realtest.Await(t, 30*time.Second, "not announced", func() bool { a, _ := p.hints.got(); return a != "" })
	first := time.Since(start)
	realtest.Await(t, 30*time.Second, "no further polls", func() bool { return p.Stats().Good >= 4 })
	if s := p.Stats(); s.Streams != 10_000 || s.State != stream.SourceGood || s.StoreFailed > 0 {
		t.Errorf("%+v", s)
	}
	t.Logf("10,000 mounts, %.1f MB: first poll until announced %v", float64(p.Stats().Bytes)/1e6, first)
}
