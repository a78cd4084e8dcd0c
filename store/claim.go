package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// waitLimit bounds how long a claim waits for replicas.
const waitLimit = time.Second

// Claim takes up a reservation; only after it may a child start. With
// replicas connected it counts only once all of them have it, so that a
// failover cannot forget a child that runs. Errors: *StaleClaim (drop it),
// *HoldError and ErrNotReplicated (ask again: claiming twice is safe).
func (s *Store) Claim(ctx context.Context, v Reservation, incarnation string) error {
	r, acked, n, err := s.claim(ctx, v, incarnation)
	if err != nil {
		return fmt.Errorf("%s/%s: %w", v.Key, v.Instance, err)
	}
	switch r.status() {
	case "ok":
		if n == 0 {
			return nil
		}
		got, err := acked.Int()
		if err != nil {
			return fmt.Errorf("claim %s/%s: wait: %w", v.Key, v.Instance, err)
		}
		if got < n {
			return fmt.Errorf("claim %s/%s: %w: %d of %d", v.Key, v.Instance, ErrNotReplicated, got, n)
		}
		return nil
	case "hold":
		return &HoldError{Reason: r.reason(1)}
	case "stale":
		return &StaleClaim{Reason: r.reason(1), what: v.Key + "/" + v.Instance}
	}
	return r.unexpected("claim")
}

// StaleClaim says why a slot is not the caller's to claim. It is an ErrStale.
type StaleClaim struct {
	Reason stream.Reason
	what   string
}

func (e *StaleClaim) Error() string { return fmt.Sprintf("claim %s: stale: %s", e.what, e.Reason) }

// Unwrap makes it an ErrStale.
func (e *StaleClaim) Unwrap() error { return ErrStale }

// claim asks for the claim and has all n replicas wait for it.
func (s *Store) claim(ctx context.Context, v Reservation, incarnation string) (r reply, acked *redis.Cmd, n int, err error) {
	started := time.Now()
	var claimed *redis.Cmd
	var raw any
	if err = s.ensureBegun(ctx); err == nil {
		if n, err = s.replicas.count(ctx, s.client); err != nil {
			err = fmt.Errorf("count replicas: %w", err)
		}
	}
	if err == nil {
		claimed, acked, err = s.claimOnce(ctx, v, incarnation, n)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			if err = s.load(ctx); err == nil {
				claimed, acked, err = s.claimOnce(ctx, v, incarnation, n)
			}
		}
	}
	if err == nil {
		raw, err = claimed.Result()
	}
	r, err = s.answer("claim", started, raw, err)
	return r, acked, n, err
}

// claimOnce sends claim and WAIT down one connection: WAIT speaks of the
// writes of its own connection only.
func (s *Store) claimOnce(ctx context.Context, v Reservation, incarnation string, replicas int) (claimed, acked *redis.Cmd, err error) {
	script, argv := s.prepare("claim", []any{v.Key, v.Instance, v.Host, v.Token, incarnation})
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
	mu    sync.Mutex
	n     int
	until time.Time
}

// replicaMemory is how long the number counts, waitedMemory how long if only
// WAIT tells it, which takes replicaAnswer. A replica that hangs counts by INFO
// for 5 s, and by WAIT until it is asked again.
const (
	replicaMemory = 2 * time.Second
	waitedMemory  = 10 * time.Second
	replicaAnswer = 500 * time.Millisecond
)

func (c *replicaCount) count(ctx context.Context, client redis.UniversalClient) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.n, nil
	}
	n, memory, err := countReplicas(ctx, client)
	if err != nil {
		return 0, err
	}
	c.n, c.until = n, time.Now().Add(memory)
	return n, nil
}

// countReplicas asks INFO or, where that is refused, WAIT: for more replicas than
// anybody has, so that it tells how many answered in time.
func countReplicas(ctx context.Context, client redis.UniversalClient) (n int, memory time.Duration, err error) {
	info, err := client.Info(ctx, "replication").Result()
	if err == nil {
		return onlineReplicas(info), replicaMemory, nil
	}
	if isEmbedded(err) {
		return 0, replicaMemory, nil
	}
	if r, refused := RefusalOf(err); !refused || r.Word != "noperm" && r.Word != "unknown-command" {
		return 0, 0, err
	}
	n, waitErr := client.Do(ctx, "wait", 1000, replicaAnswer.Milliseconds()).Int()
	if waitErr != nil {
		return 0, 0, errors.Join(err, waitErr)
	}
	return n, waitedMemory, nil
}

// isEmbedded tells by its answer to INFO that the store is the embedded one.
func isEmbedded(err error) bool {
	text, ok := redisAnswer(err)
	return ok && strings.HasPrefix(text, "section (replication) is not supported")
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
