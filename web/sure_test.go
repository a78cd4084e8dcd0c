package web

import (
	"context"
	"testing"

	"stream-api/stream"
)

// emptied is a store that has one stream until it is emptied, and is on hold from then on.
type emptied struct{ gone bool }

func (e *emptied) Overview(context.Context) (stream.Status, error) {
	if e.gone {
		return stream.Status{At: 2, Hold: &stream.HoldStatus{Until: 3}}, nil
	}
	return stream.Status{At: 1}, nil
}

func (e *emptied) StreamKeys(context.Context) ([]string, error) { return []string{"s1"}, nil }

func (e *emptied) StatusOf(_ context.Context, keys []string) ([]stream.StreamStatus, error) {
	if e.gone || len(keys) == 0 {
		return nil, nil
	}
	return []stream.StreamStatus{{Key: "s1"}}, nil
}

// A follower of the status would take the streams for gone.
func TestStatusOfAnEmptiedStoreIsOnHold(t *testing.T) {
	e := &emptied{}
	b := newBoard(e, nil, newHub())
	if pic, err := b.sure(t.Context()); err != nil || len(pic.streams) != 1 || pic.parts.Hold != nil {
		t.Fatalf("before: %v, %+v", err, pic.status())
	}
	e.gone = true
	b.reading.Lock()
	// An event of the stream, while the overview is not due.
	if _, err := b.read(t.Context(), []string{"s1"}, false); err != nil {
		t.Fatal(err)
	}
	b.reading.Unlock()
	pic, err := b.sure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if status := pic.status(); len(status.Streams) == 0 && status.Hold == nil {
		t.Errorf("the status of an emptied store is an empty network: %+v", status)
	}
}
