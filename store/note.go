package store

import (
	"context"

	"stream-api/stream"
)

// Noted is why a pending slot waits.
type Noted struct {
	Key, Instance string
	Reason        stream.Reason
}

// Note writes down why pending slots wait, in one round trip; it returns how
// many of the reasons were news.
func (s *Store) Note(ctx context.Context, notes ...Noted) (news int, err error) {
	calls := make([][]any, len(notes))
	for i, n := range notes {
		calls[i] = []any{n.Key, n.Instance, n.Reason.Wire()}
	}
	replies, refused, err := s.callMany(ctx, "note", calls)
	if err != nil {
		return 0, err
	}
	for i, r := range replies {
		if refused[i] != nil {
			continue // its record is broken; others are told of theirs
		}
		switch r.status() {
		case "ok":
			news++
		case "same", "gone":
		default:
			return 0, r.unexpected("note")
		}
	}
	return news, nil
}
