package chaos

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

// status reads the whole picture; false while the store does not answer.
func (n *network) status() (stream.Status, bool) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 2*time.Second)
	defer cancel()
	s, err := n.store().Status(ctx)
	return s, err == nil
}

// awaitRest waits until so many slots run in the records and no hold lasts.
func (n *network) awaitRest(streams int, within time.Duration, what string) {
	n.t.Helper()
	realtest.Await(n.t, within, what, func() bool {
		s, ok := n.status()
		if !ok || s.Hold != nil {
			return false
		}
		running := 0
		for _, v := range s.Streams {
			for _, slot := range v.Slots {
				if slot.State == stream.Running {
					running++
				}
			}
		}
		return running == streams
	})
}

// slots reads the record of each slot by its stream.
func (n *network) instances() map[string]store.InstanceRecord {
	n.t.Helper()
	s := n.store()
	keys, err := s.StreamKeys(n.t.Context())
	if err != nil {
		n.t.Fatal(err)
	}
	records, err := s.Records(n.t.Context(), keys)
	if err != nil {
		n.t.Fatal(err)
	}
	out := map[string]store.InstanceRecord{}
	for _, r := range records {
		for _, v := range r.Instances {
			out[r.Key] = v
		}
	}
	return out
}

// reservations are who has each slot under which token.
func (n *network) reservations() map[string]store.Reservation {
	n.t.Helper()
	out := map[string]store.Reservation{}
	for key, v := range n.instances() {
		out[key] = v.Reservation
	}
	return out
}

// sameReservations fails the test if any slot changed its holder or token.
func (n *network) sameReservations(before map[string]store.Reservation) {
	n.t.Helper()
	if now := n.reservations(); !maps.Equal(before, now) {
		n.t.Errorf("reservations were %v, now are %v", before, now)
	}
}

// incarnation is the life of a host that the store knows.
func (n *network) incarnation(host string) string {
	n.t.Helper()
	id, err := n.client.HGet(n.t.Context(), "host:"+host, "incarnation").Result()
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

// mustBeStale fails the test unless err says that an older term spoke.
func mustBeStale(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrStale) {
		t.Errorf("%s of an older term: %v; want it stale", what, err)
	}
}
