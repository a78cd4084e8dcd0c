package scheduler

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// logBook is a log that a test reads while it is written.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A scheduler that speaks a made-up layout 3 puts it in force by itself, once the
// host that spoke no more than 2 was renewed, and says so; until then it names it.
func TestUpkeepRaisesTheLayoutOnceAllSpeakIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.host("old", offerOf("record", 2, stream.Class{}))
	later, err := store.New(r.redis.Client(), store.Options{Actor: "later", TTL: 2 * time.Second, Beat: 200 * time.Millisecond, Speaks: stream.Layouts{From: 2, To: 3}})
	if err != nil {
		t.Fatal(err)
	}
	log := &logBook{}
	s := New(later, newFleet(h), Options{ID: "later", Beat: 200 * time.Millisecond, Upkeep: 200 * time.Millisecond, Log: zerolog.New(log)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	realtest.Await(t, patience, "the host that cannot is named", func() bool { return strings.Contains(log.String(), "not spoken by host old (2)") })
	if got := r.redis.Client().Get(t.Context(), "schema").Val(); got != "2" {
		t.Fatalf("layout %q in force; want 2", got)
	}
	g := store.Registration{
		Holder: store.Holder{Host: "old", Incarnation: "old-2"}, Replaces: h.id.Incarnation, HostID: "id-old", TTL: r.ttl, Beat: 200 * time.Millisecond,
		Offers: []store.Offer{offerOf("record", 2, stream.Class{})},
	}
	if _, err := later.Register(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	realtest.Await(t, patience, "layout 3 is in force", func() bool { return r.redis.Client().Get(t.Context(), "schema").Val() == "3" })
	realtest.Await(t, patience, "it is said", func() bool { return strings.Contains(log.String(), `"layout":3`) })
}
