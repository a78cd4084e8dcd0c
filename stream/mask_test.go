package stream

import (
	"os"
	"strings"
	"testing"
)

// masks reads the cases that package config's masker is held to, too.
func masks(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/masks.tsv")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if in, want, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			out[in] = want
		}
	}
	if len(out) < 18 {
		t.Fatalf("%d cases", len(out))
	}
	return out
}

func TestMaskURLsHidesEverySecret(t *testing.T) {
	for in, want := range masks(t) {
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
