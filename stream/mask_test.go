package stream

import "testing"

func TestMaskURLsHidesEveryPassword(t *testing.T) {
	for in, want := range map[string]string{
		"redis://:secret@h:6379/0":                "redis://:***@h:6379/0",
		"icecast://source:a@b@h:8000/s1 and more": "icecast://source:***@h:8000/s1 and more",
		"rtmp://u:p@a/x http://v:q@b/y":           "rtmp://u:***@a/x http://v:***@b/y",
		"http://host:8000/s1":                     "http://host:8000/s1",
		"no url at all: x@y":                      "no url at all: x@y",
	} {
		if got := MaskURLs(in); got != want {
			t.Errorf("MaskURLs(%q) = %q; want %q", in, got, want)
		}
	}
}
