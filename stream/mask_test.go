package stream

import "testing"

func TestMaskURLsHidesEverySecret(t *testing.T) {
	for in, want := range map[string]string{
		"redis://:secret@h:6379/0":                "redis://:***@h:6379/0",
		"icecast://source:a@b@h:8000/s1 and more": "icecast://source:***@h:8000/s1 and more",
		"rtmp://u:p@a/x http://v:q@b/y":           "rtmp://u:***@a/x http://v:***@b/y",
		"http://u:p@a/x,http://v:q@b/y":           "http://u:***@a/x,http://v:***@b/y",
		`icecast://source:it's"so"@h/s1`:          "icecast://source:***@h/s1",
		"icecast://source:a/b?c#d@h/s1":           "icecast://source:***@h/s1",
		"icecast://source:a:b:@h/s1":              "icecast://source:***@h/s1",
		"icecast://source:a:/@h/s1":               "icecast://source:***@h/s1",
		`Get "http://u:p@h/x": refused`:           `Get "http://u:***@h/x": refused`,
		"http://host:8000/s1":                     "http://host:8000/s1",
		"http://host:8000/a@b":                    "http://host:8000/a@b",
		"http://host:8000/a,http://u:p@h":         "http://host:8000/a,http://u:***@h",
		"http://host/?mail=a@b":                   "http://host/?mail=a@b",
		"no url at all: x@y":                      "no url at all: x@y",

		"srt://h:9000?mode=caller&passphrase=hunter2hunter2&latency=200": "srt://h:9000?mode=caller&passphrase=***&latency=200",
		"rtmp://h/live?streamkey=abc":                                    "rtmp://h/live?streamkey=***",
		"rtmp://h/live?stream_key=abc&psk=d;pwd=e&passwd=f&auth=g":       "rtmp://h/live?stream_key=***&psk=***;pwd=***&passwd=***&auth=***",
		"http://h/?key=a&Token=b&signature=c&x-api-key=d&user=e":         "http://h/?key=***&Token=***&signature=***&x-api-key=***&user=e",
		`Opening 'http://h/?pass=a' for reading`:                         `Opening 'http://h/?pass=***' for reading`,
		"http://h/?author=a&keyframes=2&passive=1":                       "http://h/?author=a&keyframes=2&passive=1",
	} {
		if got := MaskURLs(in); got != want {
			t.Errorf("MaskURLs(%q) = %q; want %q", in, got, want)
		}
	}
}

// What a field may hold of strangers is one line, and nothing that moves a terminal.
func TestPrintableIsOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb\r\nc\nd": "a b c d", "esc\x1b[1m \xff": `esc\x1b[1m \xff`, "\u202etxt.exe": `\u{202e}txt.exe`, "ünïcode ✓": "ünïcode ✓",
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestSecretNamesAreKnown(t *testing.T) {
	for _, name := range []string{"password", "DB_PASS", "passwd", "passphrase", "SRT_PASSPHRASE", "icecast_pwd", "PSK", "wifi-psk", "auth", "HTTP_AUTH", "authorization",
		"streamkey", "stream_key", "STREAMKEY", "api_key", "apikey", "secret", "access_token", "credentials", "private_key"} {
		if !SecretName(name) {
			t.Errorf("%s may be shown", name)
		}
	}
	for _, name := range []string{"key", "url", "author", "passive", "authority", "bitrate", "capacity"} {
		if SecretName(name) {
			t.Errorf("%s is hidden", name)
		}
	}
}
