package statedir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"stream-api/internal/regular"
	"stream-api/runners/supervisor"
	"stream-api/stream"
)

// Sweep removes what was half written when a life was killed or the disk was
// full, and memos that do not read once their slot's directory is cleared.
func (d *Dir) Sweep() error {
	var errs []error
	for _, pattern := range []string{
		filepath.Join(d.path, fileHostID+regular.NewSuffix), filepath.Join(d.path, fileIncarnation+regular.NewSuffix),
		filepath.Join(d.path, fileTombstones+regular.NewSuffix), filepath.Join(d.path, fileEnds+regular.NewSuffix), filepath.Join(d.slots(), "*"+memoSuffix+regular.NewSuffix),
	} {
		names, err := filepath.Glob(pattern)
		errs = append(errs, err)
		for _, name := range names {
			errs = append(errs, os.Remove(name))
		}
	}
	_, unread, err := d.Memos()
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

// Strays are slots' directories that no memo speaks of: of a life that was
// killed while it made them, or whose memo was lost.
func (d *Dir) Strays(known []Memo) ([]string, error) {
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

// Prune removes logs and memos of slots that ended long ago or are followed
// by many others.
func (d *Dir) Prune(ctx context.Context, now time.Time) error {
	all, _, err := d.Memos()
	if err != nil {
		return err
	}
	var errs []error
	kept, bySlot := 0, map[string]int{}
	for _, m := range all {
		if m.Ended.IsZero() {
			continue
		}
		of := stream.Member(m.Reservation.Key, stream.SlotOf(m.Reservation.Instance))
		bySlot[of]++
		if kept++; kept <= maxEnded && bySlot[of] <= maxEndedSlot && now.Sub(m.Ended) < keepEnded {
			continue
		}
		errs = append(errs, d.remove(ctx, m.Reservation.Token))
	}
	return errors.Join(errs...)
}

// remove takes the directory and the memo of an ended slot away.
func (d *Dir) remove(ctx context.Context, token string) error {
	if _, err := os.Lstat(d.Slot(token)); err == nil {
		if err := supervisor.Remove(ctx, d.Slot(token)); err != nil {
			return err
		}
	}
	if err := os.Remove(d.memoPath(token)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
