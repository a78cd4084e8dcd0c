package web

import (
	"net"
	"strings"
	"testing"
)

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListeningWiderNeedsAToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("t", 16)
	for _, c := range []struct {
		listen, token, says string
	}{
		{"127.0.0.1:8080", "", ""},
		{"127.9.9.9:8080", "", ""},
		{"[::1]:8080", "", ""},
		{"localhost:8080", "", ""},
		{"[::ffff:127.0.0.1]:8080", "", ""},
		{":8080", "", "token"},
		{"0.0.0.0:8080", "", "token"},
		{"[::]:8080", "", "token"},
		{"10.0.0.5:8080", "", "token"},
		{"localhost.example.org:8080", "", "token"},
		{"0.0.0.0:8080", token, ""},
		{"0.0.0.0:8080", "short", "at least 16"},
		{"0.0.0.0:8080", "change-me-before-the-event", "example"},
		{"127.0.0.1:8080", "please-CHANGE-this-one", "example"},
		{"127.0.0.1", "", "host:port"},
	} {
		err := checkListen(c.listen, c.token)
		switch {
		case c.says == "" && err != nil:
			t.Errorf("%s with token %q: %v; want it accepted", c.listen, c.token, err)
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s with token %q: %v; want an error that names %q", c.listen, c.token, err, c.says)
		}
	}
}
