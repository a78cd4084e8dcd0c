package stream

import (
	"strings"
	"testing"
)

func TestLabelsAreOneLineAndOneText(t *testing.T) {
	t.Parallel()
	l := Labels{"site": "ber", "gpu": "vaapi", "net": "10.0.0.0/8"}
	if got, want := l.Encode(), `{"gpu":"vaapi","net":"10.0.0.0/8","site":"ber"}`; got != want {
		t.Errorf("encoded %s, want %s", got, want)
	}
	if got, want := l.String(), "gpu=vaapi net=10.0.0.0/8 site=ber"; got != want {
		t.Errorf("shown %s, want %s", got, want)
	}
	back, err := ParseLabels(l.Encode())
	if err != nil || back.Encode() != l.Encode() {
		t.Errorf("read back %v, %v", back, err)
	}
	if (Labels{}).Encode() != "" {
		t.Error("no labels have a text")
	}
}

func TestLabelsThatDoNotFitAreRefusedWithTheWayOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name":"ber"}`:  "the host's name itself",
		`{"si te":"ber"}`: "no variable name",
		`{"site":"b er"}`: "no value of a label",
		`{"site":"!ber"}`: "beginning with a letter or digit",
		`{"site":""}`:     "no value of a label",
		`{"site":"` + strings.Repeat("b", 64) + `"}`: "1 to 63",
		`site: ber`:  "no JSON object",
		`{"site":7}`: "no JSON object",
	} {
		if _, err := ParseLabels(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want that it says %q", text, err, want)
		}
	}
}
