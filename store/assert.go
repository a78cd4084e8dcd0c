package store

import (
	"context"
	"encoding/json"
	"fmt"

	"stream-api/stream"
)

// Copy is what a holder keeps of a slot's stream, to tell a store that forgot
// it. It lies beside the supervisor, so it outlives the runner.
type Copy struct {
	Source       string            `json:"source"`
	Announcement string            `json:"announcement"` // stored form; empty: none
	Chain        []string          `json:"chain"`
	Items        stream.Items      `json:"items,omitempty"`
	Priority     int               `json:"priority"`
	Number       int               `json:"number"` // of the instance among the copies of its slot; 0: not known
	Fields       map[string]string `json:"fields"` // of stream:<key> but for the reserved ones; of a job those of its own record (Job.Fields)
	Vars         map[string]string `json:"vars"`   // published by the slot
	Ran          bool              `json:"ran"`    // its child ran under this token
}

// Asserted is the store's answer to a holder's word.
type Asserted struct {
	// Keep: the slot is this host's under its token; State says whether it
	// should run or stop. Otherwise end the child, because of Reason.
	Keep   bool
	State  stream.State
	Reason stream.Reason
}

// Assert tells the store that the holder runs v. Error: ErrStale, when
// another life of the host speaks for it.
func (s *Store) Assert(ctx context.Context, v Reservation, incarnation string, c Copy) (Asserted, error) {
	chain, err := json.Marshal(c.Chain)
	if err != nil {
		return Asserted{}, fmt.Errorf("assert %s/%s: %w", v.Key, v.Instance, err)
	}
	args := []any{v.Host, incarnation, v.Key, v.Instance, v.Type, v.Token, c.Source, c.Announcement, string(chain), c.Priority, c.Number, c.Items[stream.SlotOf(v.Instance)].With, bit(c.Ran)}
	r, err := s.call(ctx, "assert", pairs(pairs(args, withItems(c.Fields, c.Items)), c.Vars)...)
	if err != nil {
		return Asserted{}, err
	}
	switch r.status() {
	case "ok":
		return Asserted{Keep: true, State: stream.State(r.str(1))}, nil
	case "end":
		return Asserted{Reason: r.reason(1)}, nil
	case "stale":
		return Asserted{}, fmt.Errorf("assert %s/%s: %w", v.Key, v.Instance, ErrStale)
	}
	return Asserted{}, r.unexpected("assert")
}
