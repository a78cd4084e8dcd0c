package store

import (
	"context"
	"fmt"
	"slices"

	"stream-api/stream"
)

// restore makes announced:<source>, which a hand made another type, anew from the
// records of the streams that use the source. It tells whether it had to.
func (s *Store) restore(ctx context.Context, source string) (bool, error) {
	keys, err := s.StreamKeys(ctx)
	if err != nil {
		return false, err
	}
	records, err := s.Records(ctx, keys)
	if err != nil {
		return false, err
	}
	records = slices.DeleteFunc(records, func(r Record) bool { return r.Source != source || r.Gone })
	words, err := s.hashes(ctx, func(yield func(string)) {
		for _, r := range records {
			yield(s.key("override", r.Key))
		}
	})
	if err != nil {
		return false, fmt.Errorf("read overrides: %w", err)
	}
	said := map[string]string{}
	for i, r := range records {
		override := readOverrides(words[i]) // is said elsewhere
		for name := range override.Vars {
			delete(r.Vars, name)
		}
		chain := override.Unswitch(r.Chain)
		a := stream.Announcement{Chain: chain, Items: r.Items.In(chain), Priority: r.Priority, Vars: r.Vars, Source: r.Origin, Session: r.Sys["session"]}
		said[r.Key] = a.Encode()
	}
	r, err := s.call(ctx, "restore", pairs([]any{source, nonce()}, said)...)
	if err != nil {
		return false, err
	}
	switch r.status() {
	case "ok":
		return true, nil
	case "sound":
		return false, nil
	}
	return false, r.unexpected("restore")
}
