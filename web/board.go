package web

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"stream-api/store"
	"stream-api/stream"
)

// The rhythm of the board.
const (
	minGap   = 250 * time.Millisecond // between two reads
	idleGap  = time.Second            // when nothing was said to have changed
	sweepFor = 10 * time.Second       // in which every stream is read once
	sweepMax = 250                    // streams swept in one read
	listGap  = 5 * time.Second        // between two lists of all names
	// duty bounds what the overview (hosts, services, sources) may cost: its
	// next read waits so many times as long as the quicker of the last two
	// took. One slow read alone says more of the machine than of the store.
	duty = 50
	// fresh is how old a picture may be that answers a status or a scrape.
	fresh = 1500 * time.Millisecond
)

// reader is what the board reads of the store.
type reader interface {
	Overview(context.Context) (stream.Status, error)
	StreamKeys(context.Context) ([]string, error)
	StatusOf(context.Context, []string) ([]stream.StreamStatus, error)
}

// board keeps the one picture that every watcher sees.
type board struct {
	store reader
	demo  Demo // nil outside the demo
	hub   *hub
	wake  chan struct{} // one waits: something changed

	// reading is held by who reads the store; it guards what follows.
	reading      sync.Mutex
	matches      matcher
	listed       time.Time
	overviewAt   time.Time
	overviewTook [2]time.Duration // the last, and the one before
	sweptAt      time.Time
	cursor       string

	// mu guards what watchers and readers share.
	mu      sync.Mutex
	dirty   map[string]bool
	broad   bool // hosts or sources changed
	pic     picture
	problem string // why the last read failed
	changed func(before, after stream.StreamStatus)
	own     func() []stream.RefusedStatus // what Redis refuses this process
	lost    losses
}

func newBoard(s reader, demo Demo, h *hub) *board {
	return &board{
		store: s, demo: demo, hub: h, wake: make(chan struct{}, 1), matches: matcher{},
		own:   func() []stream.RefusedStatus { return nil },
		dirty: map[string]bool{}, pic: picture{streams: map[string]seen{}, raw: map[string]json.RawMessage{}},
	}
}

// touch says that a stream changed, or (without a key) hosts or sources.
func (b *board) touch(key string) {
	b.mu.Lock()
	if key != "" {
		b.dirty[key] = true
	}
	b.broad = true // a slot's step changes what its host has in use
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run refreshes the picture while somebody watches, until ctx ends.
func (b *board) run(ctx context.Context) {
	idle := time.NewTimer(0)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		case <-idle.C:
		case <-b.hub.arrived:
		}
		if b.hub.count() > 0 {
			b.refresh(ctx)
		}
		idle.Reset(idleGap)
		select {
		case <-ctx.Done():
			return
		case <-time.After(minGap):
		}
	}
}

// current is a picture not older than fresh, read now if need be.
func (b *board) current(ctx context.Context) (picture, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if pic := b.picture(); time.Since(pic.read) < fresh {
		return pic, nil
	}
	return b.readAll(ctx)
}

// sure is a picture whose overview is no older than its streams, for whoever acts
// on what is not there any more: that the store was emptied stands in the overview.
func (b *board) sure(ctx context.Context) (picture, error) {
	pic, err := b.current(ctx)
	if err != nil || pic.sure {
		return pic, err
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.readAll(ctx)
}

// refresh reads what changed and tells the watchers.
func (b *board) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b.reading.Lock()
	defer b.reading.Unlock()
	var err error
	if time.Since(b.picture().read) > sweepFor { // nobody watched for long
		_, err = b.readAll(ctx)
	} else {
		err = b.readChanged(ctx)
	}
	if err != nil {
		b.hub.send(beatFrame(b.problemNow()))
	}
}

// readAll reads the whole picture. The caller holds reading.
func (b *board) readAll(ctx context.Context) (picture, error) {
	b.mu.Lock()
	b.dirty = map[string]bool{}
	b.mu.Unlock()
	b.listed, b.sweptAt, b.overviewAt = time.Now(), time.Now(), time.Time{}
	keys, err := b.store.StreamKeys(ctx)
	if err != nil {
		return picture{}, b.failed(err)
	}
	return b.read(ctx, withGone(keys, b.picture().streams), true)
}

// withGone adds to the keys there are those of the last picture, to notice that
// they are gone.
func withGone(keys []string, last map[string]seen) []string {
	there := make(map[string]bool, len(keys))
	for _, key := range keys {
		there[key] = true
	}
	for key := range last {
		if !there[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

// picture is the last picture. Its values are never changed, so that it can be
// read without mu.
func (b *board) picture() picture {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pic
}

// readChanged reads the streams that were said to have changed, some of the
// others, and the overview unless that is dear. The caller holds reading.
func (b *board) readChanged(ctx context.Context) error {
	if err := b.listNew(ctx); err != nil {
		return b.failed(err)
	}
	keys := b.sweep()
	b.mu.Lock()
	keys = slices.AppendSeq(keys, maps.Keys(b.dirty))
	b.dirty = map[string]bool{}
	since := time.Since(b.overviewAt)
	broad := since > min(b.overviewTook[0], b.overviewTook[1])*duty && (b.broad || since > idleGap-minGap)
	b.broad = b.broad && !broad
	b.mu.Unlock()
	slices.Sort(keys)
	_, err := b.read(ctx, slices.Compact(keys), broad)
	return err
}

// listNew is the net under the events: a stream that came or went unseen.
func (b *board) listNew(ctx context.Context) error {
	if time.Since(b.listed) < listGap {
		return nil
	}
	keys, err := b.store.StreamKeys(ctx)
	if err != nil {
		return err
	}
	b.listed = time.Now()
	last, listed := b.picture().streams, len(keys)
	keys = withGone(keys, last)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, key := range keys {
		if _, known := last[key]; !known || i >= listed {
			b.dirty[key] = true
		}
	}
	return nil
}

// sweep picks the streams whose turn it is to be read although nothing was
// said of them: what changes without an event, such as speed. The caller holds
// reading.
func (b *board) sweep() []string {
	took, streams := time.Since(b.sweptAt), b.picture().streams
	b.sweptAt = time.Now()
	n := min(1+int(float64(len(streams))*took.Seconds()/sweepFor.Seconds()), sweepMax, len(streams))
	if n == 0 {
		return nil
	}
	keys := slices.Sorted(maps.Keys(streams))
	from, _ := slices.BinarySearch(keys, b.cursor)
	out := make([]string, 0, n)
	for i := range n {
		out = append(out, keys[(from+i)%len(keys)])
	}
	b.cursor = keys[(from+n)%len(keys)]
	return out
}

// read reads the given streams and the overview, and sends what is new.
func (b *board) read(ctx context.Context, keys []string, broad bool) (picture, error) {
	streams, err := b.store.StatusOf(ctx, keys)
	if err != nil {
		b.again(keys)
		return picture{}, b.failed(err)
	}
	var over *stream.Status
	if broad {
		started := time.Now()
		o, err := b.store.Overview(ctx)
		if err != nil {
			b.again(keys)
			return picture{}, b.failed(err)
		}
		defer func() {
			b.overviewAt, b.overviewTook = time.Now(), [2]time.Duration{time.Since(started), b.overviewTook[0]}
		}()
		over = &o
	}
	return b.merge(keys, streams, over)
}

// again marks what could not be read.
func (b *board) again(keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		b.dirty[key] = true
	}
	b.broad = true
}

func (b *board) failed(err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problem = stream.Shown(store.Explain(err))
	return err
}

func (b *board) problemNow() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.problem
}

// merge makes the next picture and sends the difference.
func (b *board) merge(asked []string, got []stream.StreamStatus, over *stream.Status) (picture, error) {
	old := b.picture()
	next := picture{read: time.Now(), at: old.at, sure: over != nil, streams: maps.Clone(old.streams), parts: old.parts, raw: old.raw}
	change := map[string]json.RawMessage{}
	for _, key := range asked {
		if _, known := old.streams[key]; known {
			change[key] = json.RawMessage("null")
		}
	}
	for _, v := range got {
		stream.Show(&v)
		raw, err := json.Marshal(v)
		if err != nil {
			return picture{}, b.failed(err)
		}
		before, known := old.streams[v.Key]
		if known && bytes.Equal(before.raw, raw) {
			delete(change, v.Key)
			continue
		}
		change[v.Key] = raw
		next.streams[v.Key] = seen{status: v, raw: raw}
		if b.changed != nil {
			b.changed(before.status, v)
		}
	}
	for key, raw := range change {
		if string(raw) == "null" {
			delete(next.streams, key)
		}
	}
	var news map[string]json.RawMessage
	if over != nil {
		next.at = over.At
		next.parts = b.assemble(next.streams, over)
		var err error
		if next.raw, news, err = diffParts(old.raw, next.parts); err != nil {
			return picture{}, b.failed(err)
		}
	}
	next.whole = sync.OnceValue(func() frame { return pictureFrame(next) })
	b.publish(next, change, news)
	return next, nil
}

// publish makes next the picture and sends the difference, as one step for
// those who join.
func (b *board) publish(next picture, change, news map[string]json.RawMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pic, b.problem = next, ""
	if len(change) > 0 || len(news) > 0 {
		b.hub.send(changeFrame(next.at, change, news))
	} else {
		b.hub.send(beatFrame(""))
	}
}

// join subscribes and gives the whole picture that the subscription goes on
// from.
func (b *board) join(ctx context.Context) (*watcher, frame, error) {
	if _, err := b.current(ctx); err != nil {
		return nil, frame{}, err
	}
	w, pic, err := b.enter()
	if err != nil {
		return nil, frame{}, err
	}
	return w, pic.whole(), nil // without mu: it takes long where streams are many
}

func (b *board) enter() (*watcher, picture, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, err := b.hub.join()
	return w, b.pic, err
}
