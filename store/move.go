package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stream-api/stream"
)

// Move is the wish that one slot go to another host.
type Move struct {
	Reservation        // as it was when the move was asked for
	Target      string // a host; "*": any other
	Since       int64  // server ms
	Deadline    int64  // server ms; 0: never given up
	Drain       bool   // its host is drained; else an operator asked
}

// Of MoveError.
type moveProblem int

const (
	moveBusy moveProblem = iota
	moveIdle
	moveThere
	moveWaits
	moveRefused
)

// MoveError says why a slot cannot be moved now.
type MoveError struct {
	what   moveProblem
	reason string
}

func (e *MoveError) Error() string { return e.reason }

// Busy tells that a move is under way already.
func (e *MoveError) Busy() bool { return e.what == moveBusy }

// Refused tells that the host asked for does not take it, or that the slot is
// pinned.
func (e *MoveError) Refused() bool { return e.what == moveRefused }

// RefuseMove is the error of a move that is refused before it is asked for.
func RefuseMove(why string) *MoveError { return &MoveError{moveRefused, why} }

// Move asks the schedulers to move a running instance, or the one that leads the
// slot of that name, to the host target, or to any
// other if target is empty; what is not done within limit is given up, 0 never.
// It returns when the wish is written down. Errors: ErrNotFound, *MoveError.
func (s *Store) Move(ctx context.Context, key, name, target string, limit time.Duration) (Move, error) {
	return s.move(ctx, key, name, target, limit, 0, "")
}

// MoveAnyway is Move to a host where a copy is from which it is apart: they may share it until they
// are apart again. One that waits for a place may have it there then; moving tells whether it runs
// elsewhere, as Move does with m.
func (s *Store) MoveAnyway(ctx context.Context, key, name, target string, limit time.Duration) (m Move, moving bool, err error) {
	m, err = s.move(ctx, key, name, target, limit, 0, "anyway")
	var not *MoveError
	if errors.As(err, &not) && (not.what == moveWaits || not.what == moveThere) {
		return Move{}, false, nil
	}
	return m, err == nil, err
}

// Pin keeps a slot on the host target from now on, even if it has to wait for
// it, and asks for its move there if it runs elsewhere: moving tells whether it
// does, as Move does with m. Nothing is written with an error.
func (s *Store) Pin(ctx context.Context, key, name, target string, limit time.Duration) (m Move, moving bool, err error) {
	if err := stream.CheckHost(target); err != nil {
		return Move{}, false, err
	}
	m, err = s.move(ctx, key, name, target, limit, 0, "pin")
	var not *MoveError
	if errors.As(err, &not) && (not.what == moveIdle || not.what == moveThere) {
		return Move{}, false, nil
	}
	return m, err == nil, err
}

// Unpin lets a slot, or that of an instance, run anywhere again.
func (s *Store) Unpin(ctx context.Context, key, name string) error {
	return s.Override(ctx, key, map[string]string{"pin:" + stream.SlotOf(name): ""})
}

// MoveForDrain is Move to any other host because the slot's own is drained; a
// host has atATime such moves at once, and none while one of the apart, instances
// of the same stream, is moved.
func (s *Store) MoveForDrain(ctx context.Context, key, instance string, limit time.Duration, atATime int, apart []string) (Move, error) {
	return s.move(ctx, key, instance, "", limit, atATime, "", apart...)
}

// Part asks that a copy move to any other host, away from another that it is apart from.
func (s *Store) Part(ctx context.Context, p Parting, limit time.Duration) (Move, error) {
	return s.move(ctx, p.Key, p.Instance, "", limit, 0, "part", p.With)
}

// move of a drain has atATime above 0. word is pin, anyway, part or empty.
func (s *Store) move(ctx context.Context, key, slot, target string, limit time.Duration, atATime int, word string, apart ...string) (Move, error) {
	if err := stream.CheckSlotOrInstance(slot); err != nil {
		return Move{}, err
	}
	args := []any{key, slot, target, limit.Milliseconds(), atATime, word}
	r, err := s.call(ctx, "move", strList(args, apart)...)
	if err != nil {
		return Move{}, err
	}
	name := fmt.Sprintf("%s of %s", slot, stream.Quote(key))
	switch r.status() {
	case "ok":
		m := Move{Reservation: Reservation{Key: key, Token: r.str(1), Host: r.str(2), Instance: r.str(3), Type: r.str(4)}, Target: target, Drain: atATime > 0}
		if target == "" {
			m.Target = "*"
		}
		return m, nil
	case "busy":
		return Move{}, &MoveError{moveBusy, name + " is being moved already, or waits for another move of its host"}
	case "not":
		return Move{}, &MoveError{moveIdle, fmt.Sprintf("%s is %s; only what runs can be moved", name, r.str(1))}
	case "there":
		return Move{}, &MoveError{moveThere, name + " runs there already"}
	case "waits":
		return Move{}, &MoveError{moveWaits, name + " waits for a place, and may have it there"}
	case "refused":
		return Move{}, &MoveError{moveRefused, r.str(1)}
	case "absent":
		return Move{}, fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	return Move{}, r.unexpected("move")
}

// Moves lists the moves that are under way, by stream and instance. Rows that a
// hand broke are left out.
func (s *Store) Moves(ctx context.Context) ([]Move, error) {
	rows, err := s.client.HGetAll(ctx, s.key("moves")).Result()
	if err != nil {
		return nil, fmt.Errorf("read moves: %w", err)
	}
	moves := make([]Move, 0, len(rows))
	for member, row := range rows {
		key, instance, ok := stream.SplitMember(member)
		fields := strings.Fields(row)
		if !ok || len(fields) != 7 {
			continue
		}
		moves = append(moves, Move{
			Reservation: Reservation{Key: key, Instance: instance, Type: fields[6], Token: fields[0], Host: fields[1]},
			Target:      fields[2], Since: atoi64(fields[3]), Deadline: atoi64(fields[4]), Drain: fields[5] == "1",
		})
	}
	slices.SortFunc(moves, func(a, b Move) int {
		return strings.Compare(stream.Member(a.Key, a.Instance), stream.Member(b.Key, b.Instance))
	})
	return moves, nil
}

// DrainingHosts lists the hosts that an operator has drained.
func (s *Store) DrainingHosts(ctx context.Context) ([]string, error) {
	hosts, err := s.client.SMembers(ctx, s.key("draining")).Result()
	if err != nil {
		return nil, fmt.Errorf("read draining: %w", err)
	}
	slices.Sort(hosts)
	return hosts, nil
}
