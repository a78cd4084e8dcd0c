package sources

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"stream-api/store"
	"stream-api/stream"
)

func priority(n int) *int { return &n }

func TestFirstRuleThatMatchesWins(t *testing.T) {
	t.Parallel()
	c, err := timed(Config{
		Name: "x", URL: "http://in:8000", Chain: []string{"dist"}, Priority: 5, Rank: "2",
		Rules: []Rule{
			{Match: regexp.MustCompile(`^(?P<room>s\d)_(?P<lang>\w+)(?:\.(?P<ext>\w+))?$`), Chain: []string{"dist", "audio"}, Vars: map[string]string{"fps": "50", "name": "ours"}},
			{Match: regexp.MustCompile(`^s`), Priority: priority(0)},
			{Match: regexp.MustCompile(`^none$`), Chain: []string{}},
		},
	}).complete()
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]string{"url": "u", "name": "theirs", "lang": "xx"}
	source := map[string]string{"url": "http://in:8000"}
	for key, want := range map[string]stream.Announcement{
		"s1_de": {Chain: []string{"dist", "audio"}, Priority: 5, Rank: 2, Source: source, Session: "1",
			Vars: map[string]string{"url": "u", "name": "ours", "room": "s1", "lang": "de", "fps": "50"}},
		"s1_de.webm": {Chain: []string{"dist", "audio"}, Priority: 5, Rank: 2, Source: source, Session: "1",
			Vars: map[string]string{"url": "u", "name": "ours", "room": "s1", "lang": "de", "ext": "webm", "fps": "50"}},
		"s2":   {Chain: []string{"dist"}, Rank: 2, Source: source, Session: "1", Vars: facts},
		"q1":   {Chain: []string{"dist"}, Priority: 5, Rank: 2, Source: source, Session: "1", Vars: facts},
		"none": {Chain: []string{}, Priority: 5, Rank: 2, Source: source, Session: "1", Vars: facts},
	} {
		v := c.judge(stream.Mount{Key: key, Vars: facts, Session: "1", Bytes: 7})
		if v.refused != "" || v.encoded != want.Encode() {
			t.Errorf("%s: refused %q, announced\n %s\nwant\n %s", key, v.refused, v.encoded, want.Encode())
		}
	}
	if facts["name"] != "theirs" {
		t.Error("a rule wrote into the listed mount")
	}
}

func TestHostileNamesAreRefusedOneByOne(t *testing.T) {
	t.Parallel()
	c, err := timed(Config{Name: "x", URL: "http://in:8000", Chain: []string{"dist"}, Match: regexp.MustCompile("^[^q]"), Strip: "live/"}).complete()
	if err != nil {
		t.Fatal(err)
	}
	var l listing
	for _, key := range []string{"s1", "$(id)", strings.Repeat("a", 300), "../etc", "a b", "s1\nx", "live/s2", "s2", "q$(id)", "a/b/c/d/e", "s1"} {
		l.mounts = append(l.mounts, stream.Mount{Key: key, Bytes: -1, Vars: map[string]string{"url": "http://in:8000/" + key}})
	}
	l.mounts = append(l.mounts, stream.Mount{Key: "s3", Vars: map[string]string{"chain": "[]"}}, stream.Mount{Key: "s4", Vars: map[string]string{"x": strings.Repeat("x", 5000)}})
	l.unread("one that could not be read")
	v := survey(l, verdicts(&c, l), nil)
	var present []string
	for key := range v.present {
		present = append(present, key)
	}
	if len(present) != 2 || v.present["s1"] == nil || v.present["s2"] == nil {
		t.Errorf("announced %q, want s1 and s2", present)
	}
	// Six names, two listed twice, two with bad variables, one unreadable.
	if v.refused != 11 || v.ignored != 1 || v.example == "" {
		t.Errorf("refused %d, ignored %d, example %q; want 11, 1", v.refused, v.ignored, v.example)
	}
}

func verdicts(c *Config, l listing) []*verdict {
	var all []*verdict
	for _, m := range l.mounts {
		v := c.judge(m)
		all = append(all, &v)
	}
	return all
}

// A slot of s1 publishes where it pushes to; the server lists that as out.
func TestOwnOutputIsRefusedAsALoop(t *testing.T) {
	t.Parallel()
	mediamtx := Config{Type: "mediamtx", URL: "http://mtx:9997"}
	srs := Config{Type: "srs", URL: "http://srs:1985"}
	relay := Config{Type: "srtrelay", URL: "http://relay:8084"}
	nginx := Config{Type: "nginx-rtmp", URL: "http://in:8080/stat", Pull: "rtmp://in.lan:1935", Strip: "live/"}
	for _, c := range []struct {
		Config
		published, listed string
		loop              bool
	}{
		{Config{URL: "http://Ingest:80/"}, "icecast://source:pw@ingest:80/out", "out", true},
		{Config{URL: "http://ingest:8000"}, "http://ingest:8443/out/", "out", true},
		{Config{URL: "http://ingest:8000"}, "http://ingest:8000/other", "out", false},
		{Config{URL: "http://ingest:8000"}, "http://live:8000/out", "out", false},
		{Config{URL: "http://proxy/icecast"}, "http://proxy/icecast/out", "out", true},
		{Config{URL: "http://localhost:8000"}, "icecast://source:pw@127.0.0.1:8000/out", "out", true},
		{Config{URL: "http://[::1]:8000"}, "icecast://source:pw@127.0.0.1:8000/out", "out", true},
		{Config{URL: "http://[fd00::1]:8000"}, "icecast://source:pw@[FD00::1]:8001/out", "out", true},
		{Config{URL: "http://ingest:8000", SourceVars: map[string]string{"url": "http://public.example.org"}}, "icecast://public.example.org/out", "out", true},
		{mediamtx, "rtmp://mtx:1935/out", "out", true},
		{mediamtx, "rtmp://user:pw@mtx.:1936/out?user=a&pass=b", "out", true},
		{mediamtx, "rtsp://mtx:8554/out", "out", true},
		{mediamtx, "srt://mtx:8890?streamid=publish:out", "out", true},
		{mediamtx, "srt://mtx:8890?streamid=publish:live/de/out:user:pw&pkt_size=1316", "live/de/out", true},
		{mediamtx, "srt://mtx:8890?latency=5&streamid=read%3Aout", "out", true},
		{mediamtx, "http://mtx:8889/out/whip", "out", true},
		{mediamtx, "http://mtx:8888/out/index.m3u8", "out", true},
		{mediamtx, "rtmp://mtx:1935/outer", "out", false},
		{mediamtx, "rtmp://other:1935/out", "out", false},
		{relay, "srt://relay:1337?streamid=publish/out", "out", true},
		{relay, "srt://relay:1337?streamid=publish/out/password", "out", true},
		{relay, "srt://relay:1337?streamid=play/out", "out", true},
		{relay, "srt://relay:1337?streamid=#!::m=publish,r=live/out,s=pw", "live/out", true},
		{relay, "srt://relay:1337?streamid=%23!::r=out,m=publish", "out", true},
		{relay, "srt://relay:1337?streamid=publish/other", "out", false},
		{relay, "srt://relay:1337?streamid=#!::m=publish,r=live/out", "out", false},
		{srs, "rtmp://srs/live/out", "live/out", true},
		{srs, "rtmp://srs/live?vhost=tv.example.org/out", "tv.example.org/live/out", true},
		{srs, "rtmp://srs:19350/live/out?vhost=tv.example.org", "tv.example.org/live/out", true},
		{srs, "rtmp://tv.example.org/live/out", "tv.example.org/live/out", true},
		{srs, "rtmp://srs/live/out?vhost=__defaultVhost__", "live/out", true},
		{srs, "rtmp://srs/live/out?vhost=tv.example.org", "live/out", false},
		{srs, "srt://srs:10080?streamid=#!::r=live/out,m=publish", "live/out", true},
		{srs, "srt://srs:10080?streamid=#!::h=tv.example.org,r=live/out,m=publish", "tv.example.org/live/out", true},
		{srs, "srt://srs:10080?streamid=#!::h=srs/live/out,m=publish", "live/out", true},
		{srs, "http://srs:1985/rtc/v1/whip/?app=live&stream=out", "live/out", true},
		{srs, "http://srs:8080/live/out.flv", "live/out", true},
		{nginx, "rtmp://in/live/out", "live/out", true},
		{nginx, "rtmp://in.lan/live/out", "live/out", true},
		{nginx, "rtmp://in/other/out", "live/out", false},
	} {
		c.Name, c.Chain = "x", []string{"dist"}
		config, err := timed(c.Config).complete()
		if err != nil {
			t.Fatal(err)
		}
		own := Outputs{}
		for _, at := range Places(c.published) {
			own[at] = append(own[at], "s1")
		}
		url := stream.PullURL(config.Pull, c.listed)
		switch vhost, rest, _ := strings.Cut(c.listed, "/"); {
		case c.Type == "srs" && strings.Contains(vhost, "."):
			url = stream.PullURL(config.Pull, rest) + "?vhost=" + vhost
		case c.Type == "srtrelay":
			url = srtrelayURL(config.Pull, c.listed)
		}
		l := listing{mounts: []stream.Mount{{Key: c.listed, Bytes: -1, Vars: map[string]string{"url": url}}, {Key: "s2"}}}
		v := survey(l, verdicts(&config, l), own)
		if loop := v.present[config.key(c.listed)] == nil; loop != c.loop || v.present["s2"] == nil {
			t.Errorf("%s, published %s, listed %s (%s): loop %v, want %v; %s", c.URL, c.published, c.listed, url, loop, c.loop, v.example)
		} else if loop && !strings.Contains(v.example, "would be a loop: a slot of s1 publishes") {
			t.Errorf("the reason is %q", v.example)
		}
		// Where a stream is pulled from itself is no loop.
		for at := range own {
			own[at] = []string{config.key(c.listed)}
		}
		if v := survey(l, verdicts(&config, l), own); v.refused > 0 {
			t.Errorf("%s: refused for its own slot: %s", c.listed, v.example)
		}
	}
}

func TestDifferenceIsEmptyWhenNothingChanged(t *testing.T) {
	t.Parallel()
	c, err := timed(Config{Name: "x", URL: "http://in", Chain: []string{"dist"}}).complete()
	if err != nil {
		t.Fatal(err)
	}
	look := func(mounts ...stream.Mount) view {
		l := listing{mounts: mounts}
		return survey(l, verdicts(&c, l), nil)
	}
	m := func(key, session string, bytes int64) stream.Mount {
		return stream.Mount{Key: key, Session: session, Bytes: bytes}
	}
	known := store.AnnouncedSet{}
	step := func(name string, v view, gone []string, wantUpsert, wantAbsent, wantBack []string) {
		t.Helper()
		var p store.Poll
		p.Upsert, p.Absent, p.Back = difference(v, known)
		var upsert []string
		for key := range p.Upsert {
			upsert = append(upsert, key)
		}
		if !reflect.DeepEqual(upsert, wantUpsert) || !reflect.DeepEqual(p.Absent, wantAbsent) || !reflect.DeepEqual(p.Back, wantBack) {
			t.Errorf("%s: upsert %q, absent %q, back %q; want %q, %q, %q", name, upsert, p.Absent, p.Back, wantUpsert, wantAbsent, wantBack)
		}
		known = applied(known, p, store.PollResult{Now: 1000, Version: "v", Gone: gone})
	}
	step("first", look(m("s1", "a", 1)), nil, []string{"s1"}, nil, nil)
	step("more bytes", look(m("s1", "a", 2)), nil, nil, nil, nil)
	step("session not told", look(m("s1", "", 3)), nil, nil, nil, nil)
	step("new session", look(m("s1", "b", 3)), nil, []string{"s1"}, nil, nil)
	step("absent", look(), nil, nil, []string{"s1"}, nil)
	step("still absent", look(), nil, nil, []string{"s1"}, nil)
	step("back", look(m("s1", "b", 3)), nil, nil, nil, []string{"s1"})
	step("steady", look(m("s1", "b", 3)), nil, nil, nil, nil)
	step("gone", look(), []string{"s1"}, nil, []string{"s1"}, nil)
	step("nothing left", look(), nil, nil, nil, nil)
	known.Entries["s1"] = `{"spoiled by hand`
	step("spoiled", look(m("s1", "", 3)), nil, []string{"s1"}, nil, nil)
}

func TestConfigNamesEverythingWrong(t *testing.T) {
	t.Parallel()
	_, err := New(timed(Config{
		Type: "icecats", URL: "ftp://x", Chain: []string{"dist", "dist"}, Priority: 1000, Interval: 1, Timeout: -1,
		Expect: []string{"$(id)"}, Rules: []Rule{{}, {Match: regexp.MustCompile("(?P<key>.)")}},
	}), Deps{})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"needs a name", `type "icecats" is unknown`, "chain names", "timeout must be positive", "interval 1ns is too short", "expect: ", "rule 1: match is missing", `rule 2: variable "key" is a field`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %q:\n%v", want, err)
		}
	}
	for _, c := range []Config{
		{Name: "x", Plugin: "pol"}, {Name: "x", Plugin: PluginExec}, {Name: "x"}, {Name: "x", URL: "ingest:8000"},
		{Name: "x", Plugin: PluginStatic, Mounts: []stream.Mount{{Key: "$x"}}},
		{Name: "x", Plugin: PluginStatic, Mounts: []stream.Mount{{Key: "s1", Vars: map[string]string{"source": ""}}}},
	} {
		if _, err := New(timed(c), Deps{}); err == nil {
			t.Errorf("taken: %+v", c)
		}
	}
}

func TestPullAddressFollowsFromTheType(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		Config
		want string
	}{
		{Config{URL: "http://in:8000/"}, "http://in:8000/"},
		{Config{Type: "nginx-rtmp", URL: "http://in:8080/stat"}, "rtmp://in"},
		{Config{Type: "srs", URL: "http://[fd00::1]:1985"}, "rtmp://[fd00::1]"},
		{Config{Type: "mediamtx", URL: "http://in:9997"}, "rtsp://in:8554"},
		{Config{Type: "srtrelay", URL: "http://in:8084"}, "srt://in:1337"},
		{Config{Type: "srs", URL: "http://in:1985", SourceVars: map[string]string{"url": "rtmp://public"}}, "rtmp://public"},
		{Config{Type: "srs", URL: "http://in:1985", Pull: "rtmp://pull", SourceVars: map[string]string{"url": "rtmp://public"}}, "rtmp://pull"},
	} {
		c.Name = "x"
		got, err := timed(c.Config).complete()
		if err != nil || got.Pull != c.want {
			t.Errorf("%s %s: pull %q, %v; want %q", c.Type, c.URL, got.Pull, err, c.want)
		}
	}
}

func TestWhatIsNoURLOfAStreamHasNoPlace(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "%", "/s1", "s1", "http://", "http://in", "http://in/", "udp://239.0.0.1:5000", "udp://@:5000/x", "://in/s1", "srt://in:1?streamid=", "srt://in:1?streamid=#!::m=publish"} {
		if got := Places(text); len(got) > 0 {
			t.Errorf("%q is at %v", text, got)
		}
	}
}
