package web

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"stream-api/store"
)

// frame is one message of the event stream, encoded once for all watchers.
type frame struct {
	id     string // of an event of the store
	beat   bool
	plain  []byte
	packed func() []byte // compressed when first asked for
}

// newFrame encodes one server-sent event. data is JSON, so it is one line.
func newFrame(name, id string, data []byte) frame {
	var b bytes.Buffer
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", name, data)
	plain := b.Bytes()
	return frame{id: id, plain: plain, packed: sync.OnceValue(func() []byte { return deflate(plain) })}
}

// gzipHead begins a gzip stream: deflate, no name, no time.
var gzipHead = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// deflate makes blocks that refer to nothing before them and end on a byte,
// so that every watcher can be sent the same ones in any sequence.
func deflate(plain []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	// Writes to a buffer do not fail.
	_, _ = w.Write(plain)
	_ = w.Flush()
	return b.Bytes()
}

// rawObject joins encoded fields; encoding/json would read each again.
func rawObject(b *bytes.Buffer, fields map[string]json.RawMessage) {
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			b.WriteByte(',')
		}
		quoted, err := json.Marshal(name)
		if err != nil {
			panic(err) // strings always marshal
		}
		b.Write(quoted)
		b.WriteByte(':')
		b.Write(fields[name])
	}
	b.WriteByte('}')
}

// changeFrame tells what differs: streams by key (null: gone) and those parts
// that are other than before.
func changeFrame(at int64, streams, news map[string]json.RawMessage) frame {
	return newFrame("change", "", body(at, streams, news))
}

// pictureFrame tells everything.
func pictureFrame(p picture) frame {
	streams := make(map[string]json.RawMessage, len(p.streams))
	for key, v := range p.streams {
		streams[key] = v.raw
	}
	return newFrame("picture", "", body(p.at, streams, p.raw))
}

func body(at int64, streams, news map[string]json.RawMessage) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"at":%d,"streams":`, at)
	rawObject(&b, streams)
	b.WriteString(`,"parts":`)
	rawObject(&b, news)
	b.WriteByte('}')
	return b.Bytes()
}

// beatFrame says that the server lives, and why the picture is old if it is.
func beatFrame(problem string) frame {
	data, err := json.Marshal(struct {
		Problem string `json:"problem,omitempty"`
	}{problem})
	if err != nil {
		panic(err) // a string always marshals
	}
	f := newFrame("beat", "", data)
	f.beat = true
	return f
}

func eventFrame(e store.Event) frame {
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings always marshal
	}
	return newFrame("event", e.ID, data)
}

// diffParts encodes the parts and gives those that are news. Hosts are told
// one by one, as one lease is renewed at a time.
func diffParts(old map[string]json.RawMessage, p parts) (all, news map[string]json.RawMessage, err error) {
	all, news = map[string]json.RawMessage{}, map[string]json.RawMessage{}
	add := func(name string, v any) {
		raw, failed := json.Marshal(v)
		if failed != nil {
			err = fmt.Errorf("encode %s: %w", name, failed)
			return
		}
		all[name] = raw
		if !bytes.Equal(old[name], raw) {
			news[name] = raw
		}
	}
	for _, h := range p.Hosts {
		add("host:"+h.Host, h)
	}
	add("sources", p.Sources)
	add("headroom", p.Headroom)
	add("missing", p.Missing)
	add("fragile", p.Fragile)
	add("jobs", p.Jobs)
	add("problems", p.Problems)
	add("more", p.More)
	add("demo", p.Demo)
	for name := range old {
		if _, still := all[name]; !still {
			news[name] = json.RawMessage("null")
		}
	}
	return all, news, err
}
