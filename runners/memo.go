package runners

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// memo is what the next life of the runner needs to know of a slot. It lies
// beside the supervisor's directory, is written before anything is started
// and stays, with the log, for a while after the end.
type memo struct {
	Reservation store.Reservation `json:"reservation"`
	Static      bool              `json:"static,omitempty"`
	Place       int               `json:"place"`
	// PlaceVars are that place's variables as the child has them: the file may
	// list the places in another order later.
	PlaceVars map[string]string `json:"place_vars,omitzero"`
	// Values are those the child was started with: what differs later tells
	// a change of the stream from one of the configuration.
	Values values `json:"values"`
	// Copy restores the stream in a store that forgot it.
	Copy    store.Copy `json:"copy"`
	Started time.Time  `json:"started,omitzero"`
	Ended   time.Time  `json:"ended,omitzero"`
	Reason  string     `json:"reason,omitempty"` // of the end
}

const memoSuffix = ".json"

func (d *stateDir) memoPath(token string) string { return d.slot(token) + memoSuffix }

func (d *stateDir) writeMemo(m memo) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("memo of %s/%s: %w", m.Reservation.Key, m.Reservation.Slot, err)
	}
	if err := replaceFile(d.memoPath(m.Reservation.Token), append(text, '\n')); err != nil {
		return fmt.Errorf("memo of %s/%s: %w", m.Reservation.Key, m.Reservation.Slot, err)
	}
	return nil
}

// memos reads every memo, newest first. One that does not read is left to
// strays: its directory belongs to nobody.
func (d *stateDir) memos() ([]memo, error) {
	names, err := filepath.Glob(filepath.Join(d.slots(), "*"+memoSuffix))
	if err != nil {
		return nil, err
	}
	var out []memo
	for _, name := range names {
		text, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var m memo
		if json.Unmarshal(text, &m) != nil || d.memoPath(m.Reservation.Token) != name {
			continue
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b memo) int { return cmp.Compare(b.Reservation.Token, a.Reservation.Token) })
	return out, nil
}

// strays are slots' directories that no memo speaks of: of a life that was
// killed while it made them, or whose memo was lost.
func (d *stateDir) strays(known []memo) ([]string, error) {
	names := make(map[string]bool, len(known))
	for _, m := range known {
		names[tokenName(m.Reservation.Token)] = true
	}
	entries, err := os.ReadDir(d.slots())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && !names[e.Name()] {
			out = append(out, filepath.Join(d.slots(), e.Name()))
		}
	}
	return out, nil
}

// Ended slots are kept for people who ask for their logs.
const (
	keepEnded    = 24 * time.Hour
	maxEnded     = 500
	maxEndedSlot = 3 // of one stream and slot
)

// prune removes logs and memos of slots that ended long ago or are followed
// by many others.
func (d *stateDir) prune(ctx context.Context, now time.Time) error {
	all, err := d.memos()
	if err != nil {
		return err
	}
	var errs []error
	kept, bySlot := 0, map[string]int{}
	for _, m := range all {
		if m.Ended.IsZero() {
			continue
		}
		of := m.Reservation.Key + "|" + m.Reservation.Slot
		bySlot[of]++
		if kept++; kept <= maxEnded && bySlot[of] <= maxEndedSlot && now.Sub(m.Ended) < keepEnded {
			continue
		}
		errs = append(errs, d.remove(ctx, m.Reservation.Token))
	}
	return errors.Join(errs...)
}

// remove takes the directory and the memo of an ended slot away.
func (d *stateDir) remove(ctx context.Context, token string) error {
	if _, err := os.Stat(d.slot(token)); err == nil {
		if err := supervisor.Remove(ctx, d.slot(token)); err != nil {
			return err
		}
	}
	if err := os.Remove(d.memoPath(token)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// logOf finds the directory with the log of a slot under a token, or with an
// empty one the latest; empty: none.
func (d *stateDir) logOf(key, slot, token string) (string, error) {
	all, err := d.memos()
	if err != nil {
		return "", err
	}
	for _, m := range all {
		own := stream.OwnSlot(m.Reservation.Slot)
		if token != "" && m.Reservation.Token != token {
			continue
		}
		if m.Reservation.Key == key && (m.Reservation.Slot == slot || own == slot) && !m.Static {
			return d.slot(m.Reservation.Token), nil
		}
	}
	return "", nil
}
