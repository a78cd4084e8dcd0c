package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
)

// TestWhoWasLetInIsAnswered has servers follow each other on one socket, as the
// lives of a process do.
func TestWhoWasLetInIsAnswered(t *testing.T) {
	t.Parallel()
	s, err := store.New(realtest.Redis(t).Client(), store.Options{Actor: "test"})
	if err != nil {
		t.Fatal(err)
	}
	first := listen(t, "")
	address := first.Addr().String()
	socket, err := first.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }() // nothing is written to it
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
			for {
				select {
				case <-stop:
					return
				default:
				}
				answer, err := client.Get("http://" + address + "/healthz")
				// One that a busy machine keeps from asking for a second is cut.
				if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNREFUSED) {
					t.Error(err)
				}
				if err == nil {
					_ = answer.Body.Close() // only that it is there counts
				}
			}
		})
	}
	for round := range 12 {
		server, err := New(Options{Store: s, Listen: address, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.FileListener(socket)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- server.Serve(ctx, l) }()
		time.Sleep(20 * time.Millisecond)
		if round == 11 { // nobody is left waiting for a next one
			close(stop)
			clients.Wait()
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}
