package runners

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"stream-api/runners/supervisor"
	"stream-api/store"
	"stream-api/stream"
)

// items are the lines that a child writes of what it has finished, for each of which jobs
// are made. What the store was told of is not kept here: it knows which jobs it made, and
// is asked anew whenever it may be another. So a line is told once for each token, however
// the file is written or read.
type items struct {
	tick   <-chan time.Time // of a slot after whose items jobs come
	term   int              // of the lease in which the store was asked
	told   map[string]bool
	size   int64 // of the file as it was read last
	at     time.Time
	lines  []string
	bad    int  // lines that are none
	waited bool // and the slot says so
}

// itemsEvery is how often the file is looked at, and store.MaxItems told.
const itemsEvery = time.Second

// itemJobs are the jobs that come after items of the slot.
func itemJobs(all stream.Items, slot string) []string {
	return slices.DeleteFunc(all.JobsOf(slot), func(job string) bool { return all[job].Each != stream.EachItem })
}

func (h *holding) itemJobs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return itemJobs(h.memo.Copy.Items, stream.SlotOf(h.res.Instance))
}

// watchItems has the file looked at, if jobs come after its lines.
func (h *holding) watchItems() {
	if h.items.tick == nil && !h.static && !h.job.is && len(h.itemJobs()) > 0 {
		h.items.tick = time.Tick(itemsEvery)
	}
}

// readItems reads the file anew if it was written since.
func (h *holding) readItems() {
	dir := h.r.dir.Slot(h.token)
	info, err := os.Lstat(supervisor.ItemsPath(dir))
	if err == nil && info.Size() == h.items.size && info.ModTime().Equal(h.items.at) {
		return
	}
	var text []byte
	if err == nil {
		text, err = supervisor.ReadItems(dir)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			h.logger().Debug().Err(err).Msg("the items are not read")
		}
		return
	}
	h.items.size, h.items.at = info.Size(), info.ModTime()
	lines, bad := parseItems(text)
	if bad > h.items.bad {
		h.logger().Warn().Int("lines", bad).Msgf("lines of STREAM_API_ITEMS that are no items are left out: an item is text of 1 to %d bytes without control characters", store.ItemBytes)
	}
	h.items.lines, h.items.bad = lines, bad
}

// parseItems gives the distinct lines that are whole, and how many are no items.
func parseItems(text []byte) (lines []string, bad int) {
	seen := map[string]bool{}
	for line := range strings.Lines(string(text[:bytes.LastIndexByte(text, '\n')+1])) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" || seen[line]:
		case len(line) > store.ItemBytes || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }):
			bad++
		default:
			seen[line] = true
			lines = append(lines, line)
		}
	}
	return lines, bad
}

// tellItems tells the store of lines that it does not know, a few at a time.
func (h *holding) tellItems(ctx context.Context) {
	h.readItems()
	_, term := h.r.lease.until()
	if len(h.items.lines) == 0 || term == 0 {
		return
	}
	if err := h.askItems(ctx, term); err != nil {
		h.logger().Debug().Err(err).Msg("which items the store knows is not read yet")
		return
	}
	due := slices.DeleteFunc(slices.Clone(h.items.lines), func(line string) bool { return h.items.told[line] })
	if len(due) == 0 {
		h.sayWaiting(ctx, stream.Reason{})
		return
	}
	some := due[:min(len(due), store.MaxItems)]
	var open int
	err := h.r.call(ctx, func(ctx context.Context) (err error) {
		open, err = h.r.store.TellItems(ctx, h.reservation(), h.r.incarnation, some)
		return err
	})
	switch {
	case err == nil:
		for _, line := range some {
			h.items.told[line] = true
		}
	case errors.Is(err, store.ErrFull):
		h.sayWaiting(ctx, stream.Because(stream.CodeItemsFull, "open", strconv.Itoa(open), "waiting", strconv.Itoa(len(due))))
	case errors.Is(err, store.ErrStale):
		h.r.lookSoon()
	default:
		h.logger().Debug().Err(err).Msg("items are not told yet")
	}
}

// askItems finds out which lines the store made jobs for before this life, or in a store
// that may be another since.
func (h *holding) askItems(ctx context.Context, term int) error {
	if h.items.term == term {
		return nil
	}
	told := map[string]bool{}
	names, key := h.itemJobs(), h.reservation().Key
	for some := range slices.Chunk(h.items.lines, manyEnds) {
		var jobs []stream.Instance
		for _, line := range some {
			for _, name := range names {
				jobs = append(jobs, stream.JobInstance(name, h.token, line))
			}
		}
		var unmade []bool
		err := h.r.call(ctx, func(ctx context.Context) (err error) {
			unmade, err = h.r.store.Unmade(ctx, jobs)
			return err
		})
		if err != nil {
			return err
		}
		for i, line := range some {
			told[line] = true
			for k := range names {
				at := i*len(names) + k
				_, done := h.r.ends.Done(key, jobs[at].String())
				told[line] = told[line] && (!unmade[at] || done)
			}
		}
	}
	h.items.told, h.items.term = told, term
	return nil
}

// sayWaiting says why items wait in their file, or that none does.
func (h *holding) sayWaiting(ctx context.Context, reason stream.Reason) {
	if h.items.waited == !reason.IsZero() {
		return
	}
	h.items.waited = !reason.IsZero()
	h.enter(h.stands(), reason)
	h.tell("", stream.Reason{}, map[string]string{"reason": reason.Wire()})
	h.flush(ctx)
}
