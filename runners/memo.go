package runners

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"stream-api/runners/plan"
	"stream-api/runners/supervisor"
	"stream-api/store"
)

// keepMemo writes the memo where only a later life would miss it.
func (h *holding) keepMemo() {
	if err := h.writeMemo(); err != nil {
		h.logger().Error().Err(err).Msg("what the next life must know is not written")
	}
}

// writeMemo writes the memo as it is now; of two writers the later writes
// what is newer.
func (h *holding) writeMemo() error {
	h.writing.Lock()
	defer h.writing.Unlock()
	h.mu.Lock()
	m := h.memo
	h.mu.Unlock()
	return h.r.dir.WriteMemo(m)
}

// hello is what the slot's supervisor is told.
func (h *holding) hello() supervisor.Hello {
	h.mu.Lock()
	defer h.mu.Unlock()
	return supervisor.Hello{Key: h.memo.Key, TTL: h.r.o.TTL}
}

// keepValues takes note of the values the child was started with, or might
// have been; true if that was news and is written down.
func (h *holding) keepValues(v plan.Values) bool {
	h.mu.Lock()
	same := reflect.DeepEqual(h.memo.Values, v)
	h.memo.Values = v
	h.mu.Unlock()
	if !same {
		h.keepMemo()
	}
	return !same
}

// startedWith are the values the child was started with.
func (h *holding) startedWith() plan.Values {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.memo.Values
}

// keepCopy keeps what a store that forgot the stream would have to be told.
func (h *holding) keepCopy(ctx context.Context, rec store.Record) {
	h.mu.Lock()
	c := h.memo.Copy
	h.mu.Unlock()
	if c.Source == rec.Source && c.Priority == rec.Priority && slices.Equal(c.Chain, rec.Chain) && c.Items.Encode() == rec.Items.Encode() && maps.Equal(c.Fields, rec.Fields()) {
		return
	}
	_, fresh, err := h.r.readStream(ctx, rec.Key)
	if err != nil {
		return // the next look finds the same difference
	}
	h.mu.Lock()
	fresh.Vars = h.memo.Copy.Vars
	h.memo.Copy = fresh
	h.mu.Unlock()
	h.keepMemo()
}

// readStream reads a stream's record and what its holders keep of it.
func (r *Runner) readStream(ctx context.Context, key string) (rec Seen, c store.Copy, err error) {
	err = r.call(ctx, func(ctx context.Context) error {
		read, err := r.store.Record(ctx, key)
		if err != nil {
			return err
		}
		seen, err := r.seen(ctx, read)
		if err != nil {
			return err
		}
		rec = seen[0]
		c = store.Copy{Source: rec.Source, Chain: rec.Chain, Items: rec.Items, Priority: rec.Priority, Fields: rec.Fields()}
		declared, err := r.store.Declared(ctx, key)
		if err != nil {
			return err
		}
		if by, ok := declared.BySource[rec.Source]; ok {
			c.Announcement = by.Announcement.Encode()
		}
		return nil
	})
	return rec, c, err
}
