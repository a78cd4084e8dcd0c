package main

import (
	"net"
	"strings"
	"testing"
)

func TestADemoWithoutAPortForItsPageSaysSoFirst(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	err = runDemo(t.Context(), taken.Addr().String())
	if err == nil || !strings.Contains(err.Error(), "give another: stream-api demo --listen 127.0.0.1:8081") {
		t.Errorf("got %v", err)
	}
}
