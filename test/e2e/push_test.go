package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"stream-api/internal/realrun"
	"stream-api/internal/realtest"
	"stream-api/stream"
)

// The pushes that docs/sources.md names first: with them a stream is seen at
// once, and a publisher that comes while this program is stopped is let in.

// pushed runs a host whose source is polled each minute only, and tells of a
// publisher that comes while it runs, and of one that comes while it does not.
func pushed(t *testing.T, redis *realtest.RedisServer, head, source string, publish func(name string) *realtest.Publisher, listed func(name string) bool) {
	t.Helper()
	host := realrun.Start(t, "a", redis.URL(), quickLease+head+"sources:\n  - name: in\n    plugin: poll\n    chain: []\n    vars: {interval: 1m, gone_after: 1s, "+source+"}\n")
	realtest.Await(t, 60*time.Second, "the source is never read", func() bool {
		s := realrun.Status(t, redis.URL()).Sources
		return len(s) == 1 && s[0].State == stream.SourceGood
	})
	there := func(key string) bool {
		for _, s := range realrun.Status(t, redis.URL()).Streams {
			if s.Key == key {
				return true
			}
		}
		return false
	}
	first := publish("s1")
	begun := time.Now()
	realtest.Await(t, 50*time.Second, "the push of s1 is never heard", func() bool { return there("s1") })
	t.Logf("publisher's start → stream in the picture: %v", time.Since(begun).Round(time.Millisecond))
	first.Stop()
	realtest.Await(t, 50*time.Second, "the push of the end of s1 is never heard", func() bool { return !there("s1") })

	host.Signal(syscall.SIGTERM)
	host.Wait(60 * time.Second)
	late := publish("s2")
	realtest.Await(t, 60*time.Second, "s2 is never listed: "+late.Complaint(), func() bool { return listed("s2") })
	since := time.Now()
	realtest.Await(t, 60*time.Second, "s2 stays", func() bool {
		if !late.Running() {
			t.Fatalf("the publisher was sent away: %s", late.Complaint())
		}
		return time.Since(since) > 5*time.Second
	})
	if !listed("s2") {
		t.Error("s2 is no longer listed")
	}
}

func has(page, text string) func(name string) bool {
	return func(name string) bool {
		resp, err := http.Get(page)
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }() // read only
		body, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(body), fmt.Sprintf(text, name))
	}
}

func TestExecPublishOfNginxLetsPublishersInWhileWeAreAway(t *testing.T) {
	t.Parallel()
	redis := realtest.Redis(t)
	hook := realrun.Binary(t) + " hook in --redis " + redis.URL()
	nginx := realtest.NginxRTMPWith(t, realtest.NginxOptions{Live: "exec_publish " + hook + "; exec_publish_done " + hook + ";"})
	pushed(t, redis, "", fmt.Sprintf("type: nginx-rtmp, url: %q, pull: %q, strip: live/", nginx.StatURL, nginx.RTMPURL),
		func(name string) *realtest.Publisher { return nginx.Publish("live/" + name) }, has(nginx.StatURL, "<name>%s</name>"))
}

func TestMountAddOfIcecastLetsPublishersInWhileWeAreAway(t *testing.T) {
	t.Parallel()
	redis, port := realtest.Redis(t), realtest.FreePort(t)
	hook := fmt.Sprintf("http://127.0.0.1:%d/hooks/in", port)
	ice := realtest.IcecastWith(t, `<mount type="default"><authentication type="url">
  <option name="mount_add" value="`+hook+`"/><option name="mount_remove" value="`+hook+`"/>
 </authentication></mount>`)
	pushed(t, redis, fmt.Sprintf("web: {listen: \"127.0.0.1:%d\"}\n", port), fmt.Sprintf("url: %q", ice.URL),
		func(name string) *realtest.Publisher { return ice.Publish("/" + name) }, has(ice.URL+"/status-json.xsl", "/%s\""))
}
