package store

import (
	"context"
	"fmt"
	"time"

	"stream-api/stream"
)

// Release says why and how a slot is given back.
type Release struct {
	Reason stream.Reason
	// Avoid keeps the slot off this host for a while; 0 for a slot that did
	// not fail here.
	Avoid time.Duration
	// OnlyIfRoom gives up only where that helps: another host has room in
	// one of Classes and the slot has not failed on two hosts.
	OnlyIfRoom bool
	Classes    []string
	// Done: the child of a job ended with one of its done codes; nil: it did not.
	Done *Done
	// Failed: a job was tried often enough. It stays, out of line, until an operator says
	// what becomes of it.
	Failed bool
	// Ran: its child ran under this token, should the store not know, as after the loss of
	// what was reported. What comes after it is made.
	Ran bool
}

// Done is how a job was done: the code its child ended with, and when that ran.
type Done struct {
	Code         int
	Began, Ended time.Time
}

// args are how a script is told of it; three empty texts of none.
func (d *Done) args() (code, began, ended any) {
	if d == nil {
		return "", "", ""
	}
	return d.Code, d.Began.UnixMilli(), d.Ended.UnixMilli()
}

// Released is what became of a slot that was given back.
type Released int

// What became of the slot.
const (
	Requeued Released = iota // wanted still: back in line
	Ended                    // not wanted any more
	// Stays: OnlyIfRoom, and there is nowhere better to go. The slot is the
	// host's still, but under a new token (read SlotsOf): the old one was
	// given up, and a late copy of this request must not free what starts anew.
	Stays
	// Finished: a job is done. Its result is written, and it is no more.
	Finished
	// FailedForGood: a job failed, and waits for an operator.
	FailedForGood
)

// Release gives a slot back whose children are gone. Errors: ErrStale (it is
// not this holder's any more, which is as good), *HoldError (giving up waits).
func (s *Store) Release(ctx context.Context, v Reservation, incarnation string, o Release) (Released, error) {
	code, began, ended := o.Done.args()
	args := []any{v.Key, v.Instance, v.Type, v.Host, v.Token, incarnation, o.Reason.Wire(), o.Avoid.Milliseconds(), bit(o.OnlyIfRoom), nonce(),
		bit(o.Ran), code, began, ended, bit(o.Failed), len(o.Classes)}
	for _, class := range o.Classes {
		args = append(args, class)
	}
	r, err := s.call(ctx, "release", args...)
	if err != nil {
		return 0, err
	}
	switch r.status() {
	case "ok":
		switch r.str(1) {
		case "gone":
			return Ended, nil
		case "done":
			return Finished, nil
		case "failed":
			return FailedForGood, nil
		}
		return Requeued, nil
	case "stay":
		return Stays, nil
	case "hold":
		return 0, &HoldError{Reason: r.reason(1)}
	case "stale":
		return 0, fmt.Errorf("release %s/%s: %w", v.Key, v.Instance, ErrStale)
	}
	return 0, r.unexpected("release")
}
