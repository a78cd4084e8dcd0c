package statedir

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stream-api/internal/regular"
	"stream-api/runners/plan"
	"stream-api/store"
	"stream-api/stream"
)

// Memo is what the next life of the runner needs to know of a slot. It lies
// beside the supervisor's directory, is written before anything is started
// and stays, with the log, for a while after the end.
type Memo struct {
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
	Values plan.Values `json:"values"`
	// Tries is how often a job began under tokens before this one.
	Tries int `json:"tries,omitempty"`
	// Copy restores the stream in a store that forgot it.
	Copy    store.Copy    `json:"copy"`
	Started time.Time     `json:"started,omitzero"`
	Ended   time.Time     `json:"ended,omitzero"`
	Reason  stream.Reason `json:"reason,omitzero"` // of the end
}

const memoSuffix = ".json"

func (d *Dir) memoPath(token string) string { return d.Slot(token) + memoSuffix }

// WriteMemo replaces the memo of its token in one step.
func (d *Dir) WriteMemo(m Memo) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("memo of %s/%s: %w", m.Reservation.Key, m.Reservation.Instance, err)
	}
	if err := replaceFile(d.memoPath(m.Reservation.Token), append(text, '\n')); err != nil {
		return fmt.Errorf("memo of %s/%s: %w", m.Reservation.Key, m.Reservation.Instance, err)
	}
	return nil
}

// memoReaders is how many memos are read at once. As many that hang end the
// reading: a file system that does not answer would not for the others.
const memoReaders = 8

// Memos reads every memo, newest first. unread says by slot's directory why one
// does not read: that directory is left to Strays, as it belongs to nobody.
func (d *Dir) Memos() (found []Memo, unread map[string]error, err error) {
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
			m, err := Memo{}, error(regular.ErrHangs)
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
	slices.SortFunc(found, func(a, b Memo) int { return cmp.Compare(b.Reservation.Token, a.Reservation.Token) })
	return found, unread, err
}

// memoPaths lists what is called as a memo is.
func (d *Dir) memoPaths() ([]string, error) {
	return regular.Within(dirPatience, d.slots(), func() ([]string, error) { return filepath.Glob(filepath.Join(d.slots(), "*"+memoSuffix)) }, nil)
}

// readMemo reads one. Error: fs.ErrNotExist, regular.ErrOdd if it is no memo of
// the slot that it is named after, and what the file system says.
func (d *Dir) readMemo(name string) (Memo, error) {
	text, err := readFile(name, maxMemo)
	if err != nil {
		return Memo{}, err
	}
	var m Memo
	if err := json.Unmarshal(text, &m); err != nil {
		return Memo{}, fmt.Errorf("%s: %w: %w", name, regular.ErrOdd, err)
	}
	if d.memoPath(m.Reservation.Token) != name {
		return Memo{}, fmt.Errorf("%s speaks of another slot: %w", name, regular.ErrOdd)
	}
	return m, nil
}
