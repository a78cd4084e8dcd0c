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
	"strings"
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
		m, ok, err := d.readMemo(name)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b memo) int { return cmp.Compare(b.Reservation.Token, a.Reservation.Token) })
	return out, nil
}

// readMemo reads one; ok false: it is gone, or no memo of the slot that it is
// named after.
func (d *stateDir) readMemo(name string) (m memo, ok bool, err error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return memo{}, false, nil
	}
	if err != nil {
		return memo{}, false, err
	}
	ok = json.Unmarshal(text, &m) == nil && d.memoPath(m.Reservation.Token) == name
	return m, ok, nil
}

// sweep removes what was half written when a life was killed or the disk was
// full, and memos that do not read once their slot's directory is cleared.
func (d *stateDir) sweep() error {
	var errs []error
	for _, pattern := range []string{
		filepath.Join(d.path, fileHostID+newSuffix), filepath.Join(d.path, fileIncarnation+newSuffix),
		filepath.Join(d.path, fileTombstones+newSuffix), filepath.Join(d.slots(), "*"+memoSuffix+newSuffix),
	} {
		names, err := filepath.Glob(pattern)
		errs = append(errs, err)
		for _, name := range names {
			errs = append(errs, os.Remove(name))
		}
	}
	names, err := filepath.Glob(filepath.Join(d.slots(), "*"+memoSuffix))
	errs = append(errs, err)
	for _, name := range names {
		_, ok, err := d.readMemo(name)
		if err != nil || ok {
			errs = append(errs, err)
			continue
		}
		if _, err := os.Lstat(strings.TrimSuffix(name, memoSuffix)); errors.Is(err, os.ErrNotExist) {
			errs = append(errs, os.Remove(name))
		}
	}
	return errors.Join(errs...)
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
