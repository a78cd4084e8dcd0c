package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
)

// BenchmarkCommandUntilHandled tells how long a command waits for an idle
// host at the default settings: one sent, one handled.
func BenchmarkCommandUntilHandled(b *testing.B) {
	s := realtest.Redis(b)
	client, handled := benchHost(b, s, Options{})
	waits := make([]time.Duration, 0, b.N)
	for i := range b.N {
		// Long enough for the server to be at rest.
		<-time.After(rand.N(200 * time.Millisecond))
		since := time.Now()
		benchSend(b, client, i)
		<-handled
		waits = append(waits, time.Since(since))
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkCommandsInABurst tells how many commands a second one sender and
// one host pass on together.
func BenchmarkCommandsInABurst(b *testing.B) {
	s := realtest.Redis(b)
	client, handled := benchHost(b, s, Options{})
	for i := range b.N {
		benchSend(b, client, i)
	}
	for range b.N {
		<-handled
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

func benchHost(b *testing.B, s *realtest.RedisServer, o Options) (*Client, <-chan struct{}) {
	b.Helper()
	o.Redis, o.Log = s.Client(), zerolog.Nop()
	handled := make(chan struct{}, b.N)
	server, err := NewSlotServer(o, "speedy", []string{"transcode"}, func(context.Context, Command) (string, error) {
		handled <- struct{}{}
		return "claimed", nil
	})
	if err != nil {
		b.Fatal(err)
	}
	client, err := NewClient(s.Client(), "")
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := server.Stop(context.Background()); err != nil {
			b.Error(err)
		}
	})
	b.ResetTimer()
	return client, handled
}

func benchSend(b *testing.B, c *Client, i int) {
	b.Helper()
	if err := c.SlotCommand(context.Background(), Start, reservationOf("s1", "speedy", fmt.Sprintf("%d-a", i))); err != nil {
		b.Fatal(err)
	}
}
