package runners

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// memo is what the next life of the runner needs to know of a slot. It lies
// beside the supervisor's directory, is written before anything is started
// and stays, with the log, for a while after the end.
type memo struct {
	Reservation store.Reservation `json:"reservation"`
	// Key is what its supervisor asks of who wants to speak to it.
	Key    string `json:"key,omitempty"`
	Static bool   `json:"static,omitempty"`
	Place  int    `json:"place"`
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

// memoReaders is how many memos are read at once. As many that hang end the
// reading: a file system that does not answer would not for the others.
const memoReaders = 8

// memos reads every memo, newest first. unread says by slot's directory why one
// does not read: that directory is left to strays, as it belongs to nobody.
func (d *stateDir) memos() (found []memo, unread map[string]error, err error) {
	names, err := d.memoPaths()
	if err != nil {
		return nil, nil, err
	}
	unread = map[string]error{}
	var mu sync.Mutex
	var readers errgroup.Group
	readers.SetLimit(memoReaders)
	hang := 0
	for _, name := range names {
		readers.Go(func() error {
			mu.Lock()
			hopeless := hang >= memoReaders
			mu.Unlock()
			m, err := memo{}, error(regular.ErrHangs)
			if !hopeless {
				m, err = d.readMemo(name)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				found = append(found, m)
			case errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM):
				return err // of this process, and not of the file
			case !errors.Is(err, fs.ErrNotExist):
				unread[strings.TrimSuffix(name, memoSuffix)] = err
			}
			if errors.Is(err, regular.ErrHangs) {
				hang++
			}
			return nil
		})
	}
	err = readers.Wait()
	slices.SortFunc(found, func(a, b memo) int { return cmp.Compare(b.Reservation.Token, a.Reservation.Token) })
	return found, unread, err
}

// memoPaths lists what is called as a memo is.
func (d *stateDir) memoPaths() ([]string, error) {
	return regular.Within(dirPatience, d.slots(), func() ([]string, error) { return filepath.Glob(filepath.Join(d.slots(), "*"+memoSuffix)) }, nil)
}

// readMemo reads one. Error: fs.ErrNotExist, regular.ErrOdd if it is no memo of
// the slot that it is named after, and what the file system says.
func (d *stateDir) readMemo(name string) (memo, error) {
	text, err := readFile(name, maxMemo)
	if err != nil {
		return memo{}, err
	}
	var m memo
	if err := json.Unmarshal(text, &m); err != nil {
		return memo{}, fmt.Errorf("%s: %w: %w", name, regular.ErrOdd, err)
	}
	if d.memoPath(m.Reservation.Token) != name {
		return memo{}, fmt.Errorf("%s speaks of another slot: %w", name, regular.ErrOdd)
	}
	return m, nil
}

// sweep removes what was half written when a life was killed or the disk was
// full, and memos that do not read once their slot's directory is cleared.
func (d *stateDir) sweep() error {
	var errs []error
	for _, pattern := range []string{
		filepath.Join(d.path, fileHostID+regular.NewSuffix), filepath.Join(d.path, fileIncarnation+regular.NewSuffix),
		filepath.Join(d.path, fileTombstones+regular.NewSuffix), filepath.Join(d.slots(), "*"+memoSuffix+regular.NewSuffix),
	} {
		names, err := filepath.Glob(pattern)
		errs = append(errs, err)
		for _, name := range names {
			errs = append(errs, os.Remove(name))
		}
	}
	_, unread, err := d.memos()
	errs = append(errs, err)
	for dir, why := range unread {
		if !errors.Is(why, regular.ErrOdd) {
			continue // it may read another time
		}
		if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, os.Remove(dir+memoSuffix))
		}
	}
	return errors.Join(errs...)
}

// slotName is what tokenName makes.
var slotName = regexp.MustCompile(`^[0-9a-f]{16}$`)

// strays are slots' directories that no memo speaks of: of a life that was
// killed while it made them, or whose memo was lost.
func (d *stateDir) strays(known []memo) ([]string, error) {
	names := make(map[string]bool, len(known))
	for _, m := range known {
		names[tokenName(m.Reservation.Token)] = true
	}
	entries, err := regular.Within(dirPatience, d.slots(), func() ([]fs.DirEntry, error) { return os.ReadDir(d.slots()) }, nil)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && slotName.MatchString(e.Name()) && !names[e.Name()] {
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
	all, _, err := d.memos()
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
	if _, err := os.Lstat(d.slot(token)); err == nil {
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
	all, _, err := d.memos()
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
