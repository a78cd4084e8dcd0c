package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"stream-api/stream"
)

// MaxClasses is how many classes one call is asked about: the cost of a place
// grows with them and with nothing else.
const MaxClasses = 8

// Candidate is who may take a slot: a class, or one host of it. Of those of a rank the
// least loaded takes it, of a later rank none while one of an earlier has room.
type Candidate struct {
	Rank  int
	Class string // stream.Class.ID
	Host  string // empty: any of the class
}

// Request asks for a place for one pending slot.
type Request struct {
	Key, Instance, Type string
	// Candidates, ranks ascending, MaxClasses at most.
	Candidates []Candidate
	// Closed are hosts that a slot before it in line was refused.
	Closed []string
	// Weighed are, of a job, the types whose waiting slots were looked at: Closed has the
	// hosts where one of these waits for room. No job takes what a slot may wait for that
	// nobody looked at.
	Weighed []string
	// All asks for a host on which its sidecars could run, too.
	All bool
}

// Outcome of a Request.
type Outcome int

// The outcomes of a Request.
const (
	Placed Outcome = iota // given to Placement.Host
	Full                  // nothing eligible has room
	Taken                 // not pending any more
	OnHold                // nothing is given now
	Broken                // its keys were edited into something else
)

// Placement is the answer to a Request.
type Placement struct {
	Outcome Outcome
	Reservation
	Passed []Passed      // of Full: everybody else but these has no room for anybody
	Reason stream.Reason // of OnHold
	Err    error         // of Broken
}

// Passed is a host of a class that was passed over for the slot's own sake: it avoids it,
// may not share it, or asked it as one of another class. It may have room.
type Passed struct{ Class, Host string }

// Place asks for several places in one step, in order: nothing happens between
// them, so that room which becomes free meanwhile cannot go to a request after
// one that was refused it.
func (s *Store) Place(ctx context.Context, requests []Request) ([]Placement, error) {
	started := time.Now()
	if err := s.ensureBegun(ctx); err != nil {
		_, err = s.answer("place", started, nil, err)
		return nil, err
	}
	cmds, err := s.placeOnce(ctx, requests)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err = s.load(ctx); err == nil {
			cmds, err = s.placeOnce(ctx, requests)
		}
	}
	if redis.HasErrorPrefix(err, "EXECABORT") && len(cmds) > 0 {
		err = cmds[0].Err() // why it was not queued
	}
	if err != nil && !isRefusal(err) {
		_, err = s.answer("place", started, nil, err)
		return nil, err
	}
	out := make([]Placement, len(requests))
	for i, cmd := range cmds {
		q := requests[i]
		out[i] = Placement{Reservation: Reservation{Key: q.Key, Instance: q.Instance, Type: q.Type}}
		raw, err := cmd.Result()
		r, err := s.answer("place", started, raw, err)
		switch {
		case isRefusal(err):
			out[i].Outcome, out[i].Err = Broken, err
			continue
		case err != nil:
			return nil, err
		}
		switch r.status() {
		case "placed":
			out[i].Host, out[i].Token = r.str(1), r.str(2)
		case "full":
			out[i].Outcome = Full
			for k := 1; k+1 < len(r); k += 2 {
				out[i].Passed = append(out[i].Passed, Passed{Class: r.str(k), Host: r.str(k + 1)})
			}
		case "gone":
			out[i].Outcome = Taken
		case "hold":
			out[i].Outcome, out[i].Reason = OnHold, r.reason(1)
		default:
			return nil, r.unexpected("place")
		}
	}
	return out, nil
}

func (s *Store) placeOnce(ctx context.Context, requests []Request) ([]*redis.Cmd, error) {
	pipe := s.client.TxPipeline()
	cmds := make([]*redis.Cmd, len(requests))
	for i, q := range requests {
		if len(q.Candidates) > MaxClasses {
			return nil, fmt.Errorf("%d classes in one request: %d at most", len(q.Candidates), MaxClasses)
		}
		args := []any{q.Key, q.Instance, q.Type, nonce(), strings.Join(q.Closed, " "), bit(q.All), strings.Join(q.Weighed, " "), len(q.Candidates)}
		for _, c := range q.Candidates {
			args = append(args, c.Rank, c.Class, c.Host)
		}
		script, argv := s.prepare("place", args)
		cmds[i] = pipe.EvalSha(ctx, script.SHA, nil, argv...)
	}
	_, err := pipe.Exec(ctx)
	return cmds, err
}
