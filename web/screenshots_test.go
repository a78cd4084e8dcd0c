package web

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"stream-api/store"
)

var screenshots = flag.Bool("screenshots", false, "take the pictures in docs/images anew")

func TestScreenshots(t *testing.T) {
	if !*screenshots {
		t.Skip("taken with -screenshots")
	}
	c := newCrew(t)
	c.conference()
	base, _, _ := serve(t, Options{Store: c.store, Host: "speedy.lan.example.org", Version: "1.0", Mover: &mover{}, Logs: ffmpegLog, Monitor: http.NotFoundHandler()}, "")
	if err := os.MkdirAll("../docs/images", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, shot := range []struct {
		name, theme   string
		width, height int
		prepare       string
	}{
		{"page-light", "light", 1480, 980, ""},
		{"page-dark", "dark", 1480, 980, ""},
		{"page-slot", "light", 1480, 980, cell("s3", "transcode") + ".click()"},
		{"page-phone", "light", 390, 1400, ""},
	} {
		b := newBrowser(t, shot.width, shot.height)
		b.do(chromedp.Navigate(base + "/"))
		b.js(`localStorage.setItem("theme", "` + shot.theme + `")`)
		b.do(chromedp.Reload())
		b.await("it is live", `document.getElementById("live").dataset.state === "live" && document.querySelectorAll(".rows .row").length > 5`)
		if shot.prepare != "" {
			b.js(shot.prepare)
			b.await("the log is read", `document.querySelectorAll("#drawer .logline").length > 3`)
		}
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("../docs/images/"+shot.name+".png", picture, 0o644); err != nil {
			t.Fatal(err)
		}
		b.quiet()
	}
}

// conference makes a scene with a bit of everything.
func (c *crew) conference() {
	c.t.Helper()
	const domain = ".lan.example.org"
	c.host("live"+domain, offer{kind: "dist", capacity: -1}, offer{kind: "record", capacity: 6})
	c.host("speedy"+domain, offer{kind: "transcode", capacity: 4}, offer{kind: "fanout_h264", capacity: 6}, offer{kind: "fanout_audio", capacity: 8})
	c.host("loop"+domain, offer{kind: "transcode", capacity: 2}, offer{kind: "fanout_h264", capacity: 6}, offer{kind: "record", capacity: 3, filter: "^sloop$"})
	c.host("mutter"+domain, offer{kind: "transcode", capacity: 2}, offer{kind: "fanout_audio", capacity: 8})
	c.poll("ingest", store.SourceInfo{Type: "icecast", URL: "http://ingest.example.org:8000", Expect: []string{"s1", "s9"}})
	chain := []string{"dist", "transcode", "fanout_h264", "fanout_audio", "record"}
	transcoders := []string{"speedy", "speedy", "speedy", "loop", "loop", "mutter", "speedy"}
	for i, key := range []string{"s1", "s2", "s3", "s4", "s5", "q1", "q2", "sloop"} {
		c.appear(key, map[string]string{"title": "Hall " + key}, chain...)
		c.publish(c.run(key, "dist", "live"+domain, ""), map[string]string{"url": "http://live.example.org:7999"})
		if i >= len(transcoders) {
			c.note(key, "transcode", `full {"full":"4/4, 2/2, 2/2","services":"3","type":"transcode"}`)
			for _, slot := range chain[2:4] {
				c.note(key, slot, `needs {"needs":"transcode:url"}`)
			}
			continue
		}
		v := c.run(key, "transcode", transcoders[i]+domain, "")
		c.publish(v, map[string]string{"h264_url": "http://live.example.org:7999/" + key + "_h264"})
		fields := map[string]string{"speed": fmt.Sprintf("1.0%d", i%3), "fps": "25"}
		if key == "s3" {
			fields = map[string]string{"speed": "0.87", "fps": "22", "restarts": "2", "exit": "exit 1",
				"stderr": "[h264_vaapi] Failed to create encode pipeline\nError while opening encoder\nConversion failed!"}
		}
		c.report(v, "", "", fields)
		c.run(key, "fanout_h264", []string{"speedy", "loop"}[i%2]+domain, "")
		c.run(key, "fanout_audio", []string{"speedy", "mutter"}[i%2]+domain, "")
		if i < 6 {
			c.run(key, "record", "live"+domain, "")
		} else {
			c.note(key, "record", `full {"full":"6/6","services":"1","type":"record"}`)
		}
	}
	c.appear("lobby", nil, "dist", "record")
	c.run("lobby", "dist", "live"+domain, "")
	c.run("sloop", "record", "loop"+domain, "^sloop$")
	c.note("lobby", "record", `full {"full":"6/6","services":"1","type":"record"}`)
}

func ffmpegLog(ctx context.Context, _ LogQuery, line func(LogLine) error) error {
	at := time.Date(2026, 5, 1, 14, 3, 2, 0, time.UTC)
	for i, text := range []string{"Input #0, matroska,webm, from 'http://ingest.example.org:8000/s3':", "  Stream #0:0: Video: h264 (High), yuv420p, 1920x1080, 25 fps",
		"[h264_vaapi] Failed to create encode pipeline", "Conversion failed!", "ended with exit 1; starts again in 500 ms", "frame= 1502 fps= 22 q=-0.0 speed=0.87x"} {
		if err := line(LogLine{At: at.Add(time.Duration(i) * time.Second), Mark: "out", Text: text}); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}
