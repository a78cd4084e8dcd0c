package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

const quickLease = "lease: {ttl: 5s, beat: 1s}\n"

// goneAfter is what the tests' sources wait before a stream is gone.
const goneAfter = 5 * time.Second

func TestStreamOnRealIcecastRunsItsWholeChain(t *testing.T) {
	t.Parallel()
	redis, ingest, sink := realtest.Redis(t), realtest.Icecast(t), realtest.Icecast(t)
	watch := realrun.Observe(t)

	// Two sources: the ingest, and the sink, whose mounts match leaves out.
	source := func(name, url string) string {
		return fmt.Sprintf(`  - name: %s
    plugin: poll
    vars: {url: %q, type: icecast, interval: 1s, gone_after: %v, match: "^(s[0-9]+|a/s[0-9]+)$"}
    chain: [dist, transcode, fanout_h264]
`, name, url, goneAfter)
	}
	realrun.Start(t, "ber", redis.URL(), quickLease+"sources:\n"+source("ingest", ingest.URL)+source("sink", sink.URL)+fmt.Sprintf(`services:
  dist:
    plugin: static
    stream_vars: {url: "icecast://source:%s@127.0.0.1:%d", pull: %q}
`, sink.SourcePassword, sink.Port, sink.URL))
	realrun.Start(t, "fra", redis.URL(), quickLease+`services:
  transcode:
    plugin:
      name: exec
      path: ffmpeg
      args: [-hide_banner, -loglevel, warning, -nostdin, -i, "${source:url}/${stream:key}", -c, copy,
             -f, matroska, -content_type, video/x-matroska, "${dist_url}/${stream:key}_h264"]
    capacity: 10
    stream_vars: {h264_url: "${dist:pull}/${stream:key}_h264"}
`)
	realrun.Start(t, "ham", redis.URL(), quickLease+"services:\n"+watch.ChildService("fanout_h264",
		`TEST_CHILD_NOTE: "${stream:key} from ${transcode:h264_url} at ${host:name} fps ${stream:fps:-25} $$HOME"`, "capacity: 10"))

	publishers := map[string]*realtest.Publisher{}
	for _, key := range []string{"s1", "s2", "a/s3", "other"} {
		publishers[key] = ingest.Publish("/" + key)
	}
	realtest.Await(t, 30*time.Second, "the fan-outs of s1, s2 and a/s3 run", func() bool { return len(watch.Alive()) == 3 })

	for _, life := range watch.Alive() {
		want := fmt.Sprintf("%s from %s/%s_h264 at ham fps 25 $HOME", life.Stream, sink.URL, life.Stream)
		if life.Env != want || life.Host != "ham" || life.Slot != "fanout_h264" {
			t.Errorf("child %+v; want the environment %q", life, want)
		}
	}
	for _, key := range []string{"s1", "a/s3"} {
		url := sink.URL + "/" + key + "_h264"
		realtest.Await(t, 20*time.Second, "the sink carries "+url, func() bool { return isVideo(t, url) })
	}
	status := realrun.Status(t, redis.URL())
	if len(status.Streams) != 3 {
		t.Errorf("%d streams; want s1, s2 and a/s3 alone: %+v", len(status.Streams), status.Streams)
	}
	for _, s := range status.Streams {
		if s.Source != "ingest" || len(s.Slots) != 3 {
			t.Errorf("stream %+v; want three slots, from ingest", s)
		}
	}

	// The publisher ends: children and capacity are back in due time.
	ended := time.Now()
	publishers["s1"].Stop()
	limit := goneAfter + time.Second + time.Second
	realtest.Await(t, limit+5*time.Second, "the child of s1 ends and its capacity is back", func() bool {
		for _, life := range watch.Alive() {
			if life.Stream == "s1" {
				return false
			}
		}
		return used(realrun.Status(t, redis.URL()), "fanout_h264") == 2 && used(realrun.Status(t, redis.URL()), "transcode") == 2
	})
	t.Logf("publisher stopped → children gone and capacity back: %v (gone_after %v + interval 1 s + 1 s = %v)", time.Since(ended).Round(10*time.Millisecond), goneAfter, limit)
	if d := watch.Doubles(); len(d) > 0 {
		t.Errorf("slots ran twice: %v", d)
	}
}

// isVideo asks ffprobe whether a URL carries a video stream.
func isVideo(t *testing.T, url string) bool {
	t.Helper()
	out, err := exec.Command("timeout", "8", "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=codec_type", "-of", "csv=p=0", url).Output()
	return err == nil && strings.TrimSpace(string(out)) == "video"
}

// used sums what is used of a type on all hosts.
func used(status stream.Status, t string) int {
	n := 0
	for _, h := range status.Hosts {
		for _, v := range h.Services {
			if v.Type == t {
				n += v.Used
			}
		}
	}
	return n
}
