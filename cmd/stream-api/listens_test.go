package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func listener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// What a reload would be refused for is said before it, while a port that the
// host has itself is no obstacle.
func TestACheckHereSaysWhatAReloadWouldFailAt(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("5f2c9d1be07a4863b1d2c3e4f5a69788"), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := "listen: \"" + listener(t) + "\"" // as the running host's would be
	for _, row := range []struct{ web, says string }{
		{ours, ""},
		{ours + ", token_file: /does/not/exist", "/does/not/exist"},
		{ours + ", tls: {cert: /does/not/exist, key: /nor/this}", "web.tls"},
		{"listen: \"192.0.2.1:8080\", token_file: " + token, "web.listen"}, // not this machine's
	} {
		file := filepath.Join(t.TempDir(), "host.yaml")
		if err := os.WriteFile(file, []byte("network: {name: ber}\nservices: {}\nweb: {"+row.web+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		root := rootCommand()
		root.SetArgs([]string{"check-config", "-q", "--here", file})
		err := root.Execute()
		if row.says == "" && err != nil || row.says != "" && (err == nil || !strings.Contains(err.Error(), row.says) || exitCode(err) != exitUsage) {
			t.Errorf("%s: %v; want %q", row.web, err, row.says)
		}
	}
}

func TestAPortOfAnotherUserIsNotOurs(t *testing.T) {
	t.Parallel()
	address := listener(t)
	if mine, err := listensHere(address, os.Geteuid()); err != nil || !mine {
		t.Errorf("our own port: %v, %v", mine, err)
	}
	if mine, err := listensHere(address, os.Geteuid()+1); err != nil || mine {
		t.Errorf("the port of somebody else: %v, %v", mine, err)
	}
}
