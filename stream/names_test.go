package stream

import (
	"strings"
	"testing"
)

func TestStreamKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	for _, good := range []string{"s1", "S1", "a/b/c/d", "saal-1_hd.mkv", "a~b", long + "/" + long, "0"} {
		if err := CheckKey(good); err != nil {
			t.Errorf("CheckKey(%q): %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "/", "/s1", "s1/", "a//b", "a/b/c/d/e", "..", "a/../b", ".hidden", "-rf", "$(id)", "a b", "a:b", "a|b", "a\nb",
		long + "a", "ü", "a\x00", "s1\n", "%2e%2e", "a;b",
	} {
		if err := CheckKey(bad); err == nil {
			t.Errorf("CheckKey(%q) is no error", bad)
		}
	}
}

func TestRefusedNamesAreShownHarmless(t *testing.T) {
	t.Parallel()
	err := CheckKey("\x1b[31m<script>" + strings.Repeat("x", 1000))
	if strings.ContainsRune(err.Error(), 0x1b) || len(err.Error()) > 400 {
		t.Errorf("the message carries what it refuses: %q", err)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"speedy.lan.c3voc.de", "a", "10.0.0.1", "fd00::1", "host-1"} {
		if err := CheckHost(good); err != nil {
			t.Errorf("CheckHost(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"", "Speedy", "a_b", "-a", "a-", "a..b", "a b", "fe80::1%eth0", "a|b", "a=b", strings.Repeat("a", 64)} {
		if err := CheckHost(bad); err == nil {
			t.Errorf("CheckHost(%q) is no error", bad)
		}
	}
}

func TestReservedFieldsAreNoVariables(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"key", "chain", "source", "priority", "a-b", "", "1a", "sys:gone"} {
		if err := CheckVars(map[string]string{name: "x"}); err == nil {
			t.Errorf("variable %q is let in", name)
		}
	}
	if err := CheckVars(map[string]string{"lang": "de", "_x1": ""}); err != nil {
		t.Error(err)
	}
	if err := CheckVars(map[string]string{"x": strings.Repeat("a", MaxValueBytes+1)}); err == nil {
		t.Error("a value that is too long is let in")
	}
}

func TestChains(t *testing.T) {
	t.Parallel()
	if err := CheckChain([]string{"dist", "transcode", "fanout_h264"}); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]string{{"dist", "dist"}, {"Dist"}, {"source"}, {"a~next"}, make([]string, 33)} {
		if err := CheckChain(bad); err == nil {
			t.Errorf("chain %v is let in", bad)
		}
	}
}
