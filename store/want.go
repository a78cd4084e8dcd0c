package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"

	"stream-api/stream"
)

// Mark is one dirty stream and the number of the mark on it.
type Mark struct {
	Key    string
	Number int64
	// odd is the score as it stands, where a hand made it no whole number: the
	// mark is cleared under what was read, whatever that is.
	odd string
}

// score is the mark's score as Redis writes it.
func (m Mark) score() string {
	if m.odd != "" {
		return m.odd
	}
	return strconv.FormatInt(m.Number, 10)
}

// Want is what a stream should be, read after its mark.
type Want struct {
	Mark
	Wanted bool // some source announces it
	Held   bool // an operator holds it back: its record stays, no slot does
	Adds   bool // what is declared of it does not all read: slots are added, none is taken away
	Chain  []string
	// Items of the chain.
	Items stream.Items
	// Each says of a slot of which each host has one on which hosts that is.
	Each     map[string]EachHosts
	Priority int
	// Fields of the stream's record: source, source:<var>, sys:<name> and
	// the user values.
	Fields map[string]string
}

// EachHosts are the hosts of a slot of which each host has one instance.
type EachHosts struct {
	Have []string // are to have theirs
	Keep []string // keep it, if they have it
}

// each is how the script is told of these hosts; empty: the slot has copies.
func (w Want) each(slot string) string {
	if w.Items[slot].Each == "" {
		return ""
	}
	text := "each"
	for _, host := range w.Each[slot].Have {
		text += " +" + host
	}
	for _, host := range w.Each[slot].Keep {
		text += " =" + host
	}
	return text
}

// Commands are what hosts are to be told, as hints: their revisions carry
// the truth.
type Commands struct {
	Stops   []Reservation
	Updates []Reservation
	// Parts are copies that share what they are apart by, each of its slot the one to move away.
	Parts []Parting
	Stale bool  // of Wants: nothing was done, look again
	Err   error // of Wants: this stream's keys are broken
}

// Parting is a copy that is to move away from another, which is With.
type Parting struct {
	Reservation
	With string
}

func readPartings(rows []reply) []Parting {
	var out []Parting
	for i, v := range readReservations(rows) {
		out = append(out, Parting{v, rows[i].str(5)})
	}
	return out
}

// Want makes the stream's record so and clears the mark. In a hold it takes no
// slot away, and has the stream looked at again when that is over. Error: ErrStale
// when it was marked again meanwhile; read and come again.
func (s *Store) Want(ctx context.Context, w Want) (Commands, error) {
	all, err := s.Wants(ctx, []Want{w})
	if err != nil {
		return Commands{}, err
	}
	if all[0].Err != nil {
		return Commands{}, all[0].Err
	}
	if all[0].Stale {
		return Commands{}, fmt.Errorf("want %s: %w", w.Key, ErrStale)
	}
	return all[0], nil
}

// Wants is Want for several streams in one round trip. Those that were marked
// again meanwhile are told by Commands.Stale, those whose keys were edited into
// something else by Commands.Err; they harm none of the others.
func (s *Store) Wants(ctx context.Context, wants []Want) ([]Commands, error) {
	calls := make([][]any, len(wants))
	for i, w := range wants {
		chain, err := json.Marshal(w.Chain)
		if err != nil {
			return nil, fmt.Errorf("want %s: %w", w.Key, err)
		}
		args := []any{w.Key, w.score(), bit(w.Wanted), bit(w.Held), bit(w.Adds), string(chain), w.Priority, len(w.Chain)}
		for _, slot := range w.Chain {
			args = append(args, slot, w.Items.Type(slot), w.Items.Copies(slot), w.Items[slot].Apart, w.each(slot), w.Items[slot].With)
		}
		calls[i] = pairs(args, withItems(w.Fields, w.Items))
	}
	replies, refused, err := s.callMany(ctx, "want", calls)
	if err != nil {
		return nil, err
	}
	out := make([]Commands, len(wants))
	for i, r := range replies {
		if refused[i] != nil {
			out[i].Err = fmt.Errorf("want %s: %w", wants[i].Key, refused[i])
			continue
		}
		switch r.status() {
		case "ok":
			out[i] = Commands{Stops: readReservations(r.rows(1)), Updates: readReservations(r.rows(2)), Parts: readPartings(r.rows(3))}
		case "stale":
			out[i].Stale = true
		default:
			return nil, r.unexpected("want")
		}
	}
	return out, nil
}

// withItems are the fields of a stream's record with its items.
func withItems(fields map[string]string, items stream.Items) map[string]string {
	text := items.Encode()
	if text == "" {
		return fields
	}
	out := maps.Clone(fields)
	if out == nil {
		out = map[string]string{}
	}
	out["items"] = text
	return out
}

// Dirty lists up to n marked streams, the oldest mark first.
func (s *Store) Dirty(ctx context.Context, n int) ([]Mark, error) {
	rows, err := s.client.ZRangeWithScores(ctx, s.key("dirty"), 0, int64(n-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("read dirty: %w", err)
	}
	marks := make([]Mark, 0, len(rows))
	for _, row := range rows {
		key, _ := row.Member.(string)
		m := Mark{Key: key, Number: int64(row.Score)}
		if row.Score != math.Trunc(row.Score) || math.Abs(row.Score) >= 1<<53 {
			m.Number, m.odd = 0, strconv.FormatFloat(row.Score, 'g', -1, 64)
		}
		marks = append(marks, m)
	}
	return marks, nil
}
