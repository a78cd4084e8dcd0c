package sources

import (
	"slices"

	"stream-api/stream"
)

// merger makes one listing of answers that each know a part. Of nginx every
// worker process tells of its own streams only; of Icecast the public list
// lacks the hidden mounts. What is missing in an answer has ended if whoever
// gave the answer listed it last; of anything else the answer says nothing.
type merger struct {
	// forgets says that one who answers no more may have ended: a worker whose
	// nginx was restarted.
	forgets bool

	answers []answer // the last of each, newest first
	taken   int
	// known says that everything was listed once; until then seen are the
	// names that were.
	known bool
	seen  map[string]bool
	// returned says that the answers went from one to another and back.
	returned bool
}

type answer struct {
	by     string
	mounts []stream.Mount // that nobody listed later
	silent int            // answers of others since
}

// patience is how many answers of others there may be, for each one who
// answers, until one that is silent has ended. nginx gives a worker 16
// connections in a row on a calm machine; where they are spread at random a
// living one is silent for so long once in e^20 times.
const patience = 20

// whole takes an answer that knows everything.
func (m *merger) whole(by string, l listing) listing {
	m.answers = []answer{{by: by, mounts: slices.Clip(l.mounts)}}
	m.known, m.seen, m.returned = true, nil, false
	return l
}

// part takes an answer that knows a part and returns what is live by it and by
// the last answers of the others.
func (m *merger) part(by string, l listing) (listing, error) {
	m.taken++
	names := make(map[string]bool, len(l.mounts))
	for _, one := range l.mounts {
		names[one.Key] = true
	}
	now := []answer{{by: by, mounts: slices.Clip(l.mounts)}}
	for i, a := range m.answers {
		if a.by == by {
			m.returned = m.returned || i > 0
			continue
		}
		a.silent++
		a.mounts = slices.DeleteFunc(slices.Clone(a.mounts), func(one stream.Mount) bool { return names[one.Key] })
		now = append(now, a)
	}
	if m.forgets {
		bound := patience * len(now)
		now = slices.DeleteFunc(now, func(a answer) bool { return a.silent > bound })
		m.known = m.known || m.taken >= bound
	}
	if m.answers = now; len(now) == 1 {
		m.returned = false
	}
	l.mounts = slices.Clip(l.mounts)
	for _, a := range now[1:] {
		l.mounts = append(l.mounts, a.mounts...)
		l.carried += len(a.mounts)
	}
	if len(l.mounts) > maxMounts {
		return listing{}, errTooMany
	}
	m.admit(&l)
	return l, nil
}

// admit says how much the absence of a stream from l means.
func (m *merger) admit(l *listing) {
	if m.known {
		m.seen = nil
		return
	}
	if m.seen == nil {
		m.seen = make(map[string]bool)
	}
	live := make(map[string]bool, len(l.mounts))
	for _, one := range l.mounts {
		live[one.Key], m.seen[one.Key] = true, true
	}
	l.partial = true
	for name := range m.seen {
		if !live[name] {
			l.ended = append(l.ended, name)
		}
	}
}

// several tells whether the answers come from more than one, rather than from
// one that was restarted.
func (m *merger) several() bool { return m.returned || len(m.answers) > 2 }
