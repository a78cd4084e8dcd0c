package problem

import (
	"slices"

	"stream-api/stream"
)

// Missing is a stream that a source expects and nobody publishes.
type Missing struct {
	Key    string `json:"key"`
	Source string `json:"source"`
}

// MissingOf lists the expected streams that no source announces.
func MissingOf(s stream.Status) []Missing {
	live := make(map[string]bool, len(s.Streams))
	for _, v := range s.Streams {
		live[v.Key] = true
	}
	out := []Missing{}
	for _, source := range s.Sources {
		for _, key := range source.Expect {
			if !live[key] && !slices.ContainsFunc(out, func(m Missing) bool { return m.Key == key }) {
				out = append(out, Missing{Key: key, Source: source.Name})
			}
		}
	}
	return out
}
