package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// waitLimit bounds how long a claim waits for replicas.
const waitLimit = time.Second

// Claim takes up a reservation; only after it may a child start. With
// replicas connected it counts only once all of them have it, so that a
// failover cannot forget a child that runs. Errors: ErrStale (drop it),
// *HoldError and ErrNotReplicated (ask again: claiming twice is safe).
func (s *Store) Claim(ctx context.Context, v Reservation, incarnation string) error {
	if err := s.ensureChecked(ctx); err != nil {
		return fmt.Errorf("claim %s/%s: %w", v.Key, v.Slot, err)
	}
	n, err := s.replicas.count(ctx, s.client)
	if err != nil {
		return fmt.Errorf("claim %s/%s: count replicas: %w", v.Key, v.Slot, err)
	}
	started := time.Now()
	claimed, acked, err := s.claimOnce(ctx, v, incarnation, n)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = s.load(ctx); err == nil {
			claimed, acked, err = s.claimOnce(ctx, v, incarnation, n)
		}
	}
	if err != nil {
		return fmt.Errorf("claim %s/%s: %w", v.Key, v.Slot, err)
	}
	raw, err := claimed.Result()
	r, err := s.answer("claim", started, raw, err)
	if err != nil {
		return err
	}
	switch r.status() {
	case "ok":
		if n == 0 {
			return nil
		}
		got, err := acked.Int()
		if err != nil {
			return fmt.Errorf("claim %s/%s: wait: %w", v.Key, v.Slot, err)
		}
		if got < n {
			return fmt.Errorf("claim %s/%s: %w: %d of %d", v.Key, v.Slot, ErrNotReplicated, got, n)
		}
		return nil
	case "hold":
		return &HoldError{Reason: r.str(1)}
	case "stale":
		return fmt.Errorf("claim %s/%s: %w: %s", v.Key, v.Slot, ErrStale, r.str(1))
	}
	return r.unexpected("claim")
}

// claimOnce sends claim and WAIT down one connection: WAIT speaks of the
// writes of its own connection only.
func (s *Store) claimOnce(ctx context.Context, v Reservation, incarnation string, replicas int) (claimed, acked *redis.Cmd, err error) {
	script, argv := s.prepare("claim", []any{v.Key, v.Slot, v.Host, v.Token, incarnation})
	pipe := s.client.Pipeline()
	claimed = pipe.EvalSha(ctx, script.SHA, nil, argv...)
	if replicas > 0 {
		acked = pipe.Do(ctx, "wait", replicas, waitLimit.Milliseconds())
	}
	_, err = pipe.Exec(ctx)
	return claimed, acked, err
}

// replicaCount remembers for a moment how many replicas are in touch.
type replicaCount struct {
	mu   sync.Mutex
	n    int
	when time.Time
}

const replicaMemory = 2 * time.Second

func (c *replicaCount) count(ctx context.Context, client redis.UniversalClient) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.when) < replicaMemory {
		return c.n, nil
	}
	info, err := client.Info(ctx, "replication").Result()
	if err != nil {
		if strings.HasPrefix(err.Error(), "section (replication) is not supported") { // the embedded store
			c.n, c.when = 0, time.Now()
			return 0, nil
		}
		return 0, err
	}
	c.n, c.when = onlineReplicas(info), time.Now()
	return c.n, nil
}

// onlineReplicas counts the replicas that spoke within the last 5 s. One that
// hangs stays connected for a minute, and would stop every start meanwhile.
func onlineReplicas(info string) int {
	n := 0
	for line := range strings.Lines(info) {
		_, fields, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || !strings.HasPrefix(line, "slave") || !strings.Contains(fields, "state=online") {
			continue
		}
		_, lag, _ := strings.Cut(fields, "lag=")
		seconds, err := strconv.Atoi(lag)
		if err == nil && seconds <= 5 {
			n++
		}
	}
	return n
}
