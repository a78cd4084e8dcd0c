package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/stream"
)

func want[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

func texts(templates map[string]stream.Template) map[string]string {
	m := map[string]string{}
	for name, t := range templates {
		m[name] = t.String()
	}
	return m
}

func listed(templates []stream.Template) []string {
	var list []string
	for _, t := range templates {
		list = append(list, t.String())
	}
	return list
}

func TestTheReferenceFileMeansWhatItSays(t *testing.T) {
	c := mustLoad(t, "testdata/good/reference.yaml")
	want(t, "name", c.Network.Name, "speedy.lan.c3voc.de")
	want(t, "redis", c.Network.Redis.String(), "redis://127.0.0.1:6379/0")
	want(t, "namespace", c.Network.Namespace, "")
	want(t, "labels", c.Network.Labels, map[string]string{"site": "ber"})
	want(t, "lease", c.Lease, Lease{TTL: 10 * time.Second, Beat: 2 * time.Second, OnStoreLoss: "keep"})
	want(t, "state_dir", c.StateDir, "/var/lib/stream-api")
	want(t, "web", c.Web.Listen, "127.0.0.1:8080")
	want(t, "log", c.Log, Log{Level: "info", Format: "auto"})
	want(t, "scheduler", c.Scheduler.Enabled, true)

	want(t, "sources", len(c.Sources), 1)
	s := c.Sources[0]
	want(t, "source", s.Name+" "+s.Plugin+" "+s.Vars.Type+" "+s.Vars.Match.String(), "ingest poll icecast ^[sq]")
	want(t, "url", s.Vars.URL.String(), "http://ingest.c3voc.de:8000")
	want(t, "times", []time.Duration{s.Vars.Interval, s.Vars.Timeout, s.Vars.GoneAfter},
		[]time.Duration{time.Second, 3 * time.Second, time.Minute})
	want(t, "chain", s.Chain.Slots, []string{"dist", "transcode", "fanout_h264", "fanout_vpx", "fanout_audio", "fanout_thumbnail"})
	want(t, "expect", s.Expect, []string{"s1", "s2"})
	want(t, "stream", s.Stream, map[string]string{"url": "http://ingest.c3voc.de:8000"})

	want(t, "types", c.Services.Types(), []string{"dist", "transcode"})
	dist := c.Services["dist"]
	want(t, "dist", dist.Plugin, Plugin{Name: "static"})
	want(t, "dist url", dist.URL, "http://live.ber.c3voc.de:7999")
	want(t, "dist capacity", dist.Capacity, nil)
	want(t, "dist class", dist.Class, stream.Class{})

	tr := c.Services["transcode"]
	want(t, "capacity", *tr.Capacity, 1)
	want(t, "places", tr.Places, []map[string]string{{"device": "/dev/dri/renderD128"}})
	want(t, "class", tr.Class, stream.Class{Filter: "^foobar$", Prefer: "^s", Needs: "dist:url"})
	want(t, "url of a service that depends on the stream", tr.URL, "")
	e := tr.Plugin.Exec
	want(t, "path", e.Path, "/transcode_vaapi.sh")
	want(t, "env", texts(e.Env), map[string]string{
		"key": "${stream:key}", "pull_url": "${source:url}/${stream:key}",
		"push_prefix": "${dist_url}", "fps": "${stream:fps:-25}",
	})
	want(t, "env_file", words(e.EnvFile), "/run/secrets/icecast")
	want(t, "stop", e.Stop, supervisor.Stop{Signal: "TERM", Grace: 10 * time.Second})
	want(t, "restart", e.Restart, supervisor.Restart{Delay: 500 * time.Millisecond, MaxDelay: 5 * time.Second, GiveUpAfter: 5, Within: time.Minute})
	want(t, "stall", e.Stall, 0)
	want(t, "modes", modes(tr), []string{"stop_first", "keep", "restart", "ignore"})
	want(t, "files", c.Files, []string{"reference.yaml"})
}

func TestScalarsKeepTheirSpelling(t *testing.T) {
	c := mustLoad(t, "testdata/good/full.yaml")
	want(t, "network.vars", c.Network.Vars, map[string]string{
		"site": "ber", "version": "1.10", "flag": "yes", "hex": "0x10", "octal": "0o17",
		"empty": "", "tilde": "~", "date": "2024-12-27",
	})
	want(t, "stream variables", c.Sources[1].Vars.Streams, []StaticStream{
		{Key: "s1"}, {Key: "a/s2", Vars: map[string]string{"lang": "de", "n": "007"}},
	})
	want(t, "rule variables", c.Sources[0].Rules[0].Vars, map[string]string{"profile": "1.10"})
	want(t, "env", texts(c.Services["transcode"].Plugin.Exec.Env), map[string]string{
		"price": "5$$", "version": "1.10", "when": "no", "block": "two\nlines\n",
	})
	want(t, "places", c.Services["transcode"].Places[0]["bus"], "01:00.0")
}

func TestEveryOtherFormOfTheKeys(t *testing.T) {
	c := mustLoad(t, "testdata/good/full.yaml")
	want(t, "scheduler", c.Scheduler, Scheduler{Enabled: false, Cooldown: 2 * time.Minute})
	want(t, "asynqmon", c.Web.Asynqmon, "read_write")
	ingest, script := c.Sources[0], c.Sources[2]
	want(t, "merged timing", []time.Duration{ingest.Vars.Interval, ingest.Vars.Timeout, ingest.Vars.GoneAfter},
		[]time.Duration{2 * time.Second, 5 * time.Second, 30 * time.Second})
	want(t, "chain of its own", ingest.Chain.Slots, []string{"dist"})
	want(t, "rule chain", ingest.Rules[0].Chain.Slots, []string{"dist", "record"})
	want(t, "rule priority", *ingest.Rules[0].Priority, 899)
	want(t, "an empty chain is no absent one", ingest.Rules[1].Chain.Slots, []string{})
	want(t, "host variables in stream", ingest.Stream, map[string]string{"url": "rtmp://ber.ingest.c3voc.de/live", "app": "live"})
	want(t, "command", listed(script.Vars.Command), []string{"/usr/lib/voc/list-streams", "--site", "${host:site}"})

	tr, record := c.Services["transcode"], c.Services["record"]
	want(t, "capacity is the number of places", *tr.Capacity, 2)
	want(t, "filter", tr.Class, stream.Class{Filter: "^[a-z]", Needs: "dist:url"})
	want(t, "restart by alias", tr.Plugin.Exec.Restart, supervisor.Restart{Delay: time.Second, MaxDelay: time.Minute, Within: 5 * time.Minute})
	want(t, "one hook command", len(tr.Plugin.Exec.Hooks.PreStart), 1)
	want(t, "its words", listed(tr.Plugin.Exec.Hooks.PreStart[0]), []string{"curl", "-s", "${file:/run/secrets/kill_url}"})
	want(t, "two hook commands", len(tr.Plugin.Exec.Hooks.PostStop), 2)
	want(t, "modes", modes(tr), []string{"start_first", "keep", "ignore", "restart"})
	want(t, "store loss from lease", record.OnStoreLoss, "stop")
	want(t, "global_vars", record.Class, stream.Class{Filter: "_", Prefer: "x", Needs: "transcode:h264_url"})
	want(t, "a capacity of nothing", *record.Capacity, 0)
	want(t, "url from global_vars", record.URL, "file:///video")
	want(t, "url with a host variable", c.Services["dist"].URL, "http://192.0.2.7:7999")
}

func TestFilesMerge(t *testing.T) {
	c := mustLoad(t, "testdata/good/common.yaml", "testdata/good/host.yaml")
	want(t, "maps merge", c.Network.Vars, map[string]string{"site": "ber", "rack": "b"})
	want(t, "and keep what only one says", c.Network.Redis.String(), "redis://redis.lan:6379/1")
	want(t, "within lease", c.Lease, Lease{TTL: 20 * time.Second, Beat: time.Second, OnStoreLoss: "keep"})
	want(t, "an empty value takes back", len(c.Sources), 0)
	want(t, "a service taken back", c.Services.Types(), []string{"transcode"})
	tr := c.Services["transcode"]
	want(t, "lists replace", listed(tr.Plugin.Exec.Args), []string{"c"})
	want(t, "env merges", texts(tr.Plugin.Exec.Env), map[string]string{"one": "1", "two": "2.0"})
	want(t, "two spellings of one key", *tr.Capacity, 4)
	want(t, "the filter of global_vars stays", tr.StreamFilter.String(), "^s")

	c = mustLoad(t, "testdata/good/host.yaml", "testdata/good/common.yaml")
	want(t, "the later file wins", *c.Services["transcode"].Capacity, 1)
	want(t, "sources of the later file", len(c.Sources), 1)
}

func TestAnEmptyFileSaysNothing(t *testing.T) {
	for _, text := range []string{"", "\n# nothing\n", "---\n", "~\n", "x-only: [anchors]\n", "\xef\xbb\xbflease: {ttl: 10s}\r\n"} {
		c := parse(t, text)
		want(t, "lease", c.Lease.TTL, 10*time.Second)
	}
	c, err := load(testHostname, File{Name: "a", Data: []byte("lease: {ttl: 20s}")}, File{Name: "b", Data: []byte("# empty")})
	if err != nil || c.Lease.TTL != 20*time.Second {
		t.Errorf("an empty second file changed something: %v %v", c, err)
	}
}

func TestTheThreeSpellingsOfTheNotes(t *testing.T) {
	c := mustLoad(t, "testdata/owner/sources.yaml", "testdata/owner/services-empty.yaml")
	want(t, "services", len(c.Services), 0)
	s := c.Sources[0]
	want(t, "source", []string{s.Name, s.Plugin, s.Vars.Type, s.Vars.URL.String(), s.Stream["url"]},
		[]string{"source", "poll", "icecast", "http://ingest.c3voc.de:8000", "http://ingest.c3voc.de:8000"})
	want(t, "chain", strings.Join(s.Chain.Slots, " "), "dist transcode fanout_h264 fanout_vpx fanout_audio fanout_thumbnail")

	for _, chain := range []string{"testdata/owner/chain.yaml", "testdata/owner/slots.yaml"} {
		c = mustLoad(t, "testdata/owner/local2.yaml", chain)
		s = c.Sources[0]
		want(t, "source", []string{s.Name, s.Plugin, s.Vars.URL.String(), s.Stream["url"]},
			[]string{"source", "poll", "http://ingest.c3voc.de:8000", "http://ingest.c3voc.de:8000"})
		want(t, "chain of "+chain, s.Chain.Slots, []string{"dist", "transcode", "fanout", "record"})
		want(t, "services", c.Services.Types(), []string{"dist", "transcode"})
		want(t, "dist", c.Services["dist"].URL, "http://live.ber.c3voc.de:7999")
		tr := c.Services["transcode"]
		want(t, "transcode", tr.Class, stream.Class{Filter: "^foobar$", Needs: "dist:url"})
		want(t, "capacity", *tr.Capacity, 1)
		want(t, "env", slices.Sorted(maps.Keys(tr.Plugin.Exec.Env)), []string{"key", "pull_url", "push_prefix"})
	}
}

func TestAnOlderSourceStandsBesideNewerOnes(t *testing.T) {
	c := parse(t, `
chain: [dist]
sources: [{name: new, plugin: static, vars: {streams: []}}]
services:
  other: {plugin: {name: poll}, stream_vars: {url: "http://a", app: x}, vars: {url: "http://b", interval: 2s}, chain: [record], priority: 3}
  source: {plugin: static, source: true, vars: {streams: [s1]}}
  dist: {plugin: static, source: false}
`)
	var names []string
	for _, s := range c.Sources {
		names = append(names, s.Name)
	}
	want(t, "names", names, []string{"new", "other", "source"})
	other := c.Sources[1]
	want(t, "polled", other.Vars.URL.String(), "http://b")
	want(t, "seen by dependants", other.Stream, map[string]string{"url": "http://a", "app": "x"})
	want(t, "interval", other.Vars.Interval, 2*time.Second)
	want(t, "chain", other.Chain.Slots, []string{"record"})
	want(t, "static", c.Sources[2].Vars.Streams, []StaticStream{{Key: "s1"}})
	want(t, "service", c.Services.Types(), []string{"dist"})
}

func TestTheURLDependantsSeeHasNoPassword(t *testing.T) {
	c := parse(t, `
network: {vars: {site: ber}}
sources: [{plugin: poll, chain: [dist], vars: {url: "http://admin:pw@${host:site}.ingest:8000/base"}}]`)
	want(t, "url", c.Sources[0].Stream["url"], "http://ber.ingest:8000/base")
}

func TestNeedsCountEverythingAServiceResolves(t *testing.T) {
	c := parse(t, `
services:
  x:
    plugin:
      name: exec
      path: /bin/sh
      args: ["${a:one}", "${a:optional:-none}"]
      env: {B: "${b_url}${a:one}"}
      hooks: {pre_start: [sh, "${c:x}"], post_stop: [[sh, "${d:x}"]]}
    stream_vars: {y: "${e:x}", z: "${source:url}${stream:key}${slot:token}"}`)
	want(t, "needs", stream.FormatNeeds(c.Services["x"].Needs()), "a:one b:url c:x d:x e:x")
}

func modes(s *Service) []string {
	return []string{string(s.Handover), string(s.OnStoreLoss), s.SourceChange(), string(s.OnNewSession)}
}
