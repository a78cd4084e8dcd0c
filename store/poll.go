package store

import "time"

// Poll is one good poll of one source, told to the store in one call. What a
// poll does not mention is unchanged: in a steady state Upsert, Absent and
// Back are empty, however many streams are listed.
type Poll struct {
	Source string
	Poller string // id of this poller process
	// Version of announced:<source> the difference was made against; empty:
	// none known.
	Version string
	// Rules is the Ruling.ID of what was announced by; empty: by a hand, or without rules.
	Rules string
	// Known is how many streams were announced under Version; 0: no opinion.
	// Another number now means that a hand took some away: the poll is stale.
	Known  int
	Upsert map[string]string // key → stream.Announcement.Encode(), new or changed
	Absent []string          // announced, but not listed in this good poll
	Back   []string          // marked missing in Redis, but listed now
	// LastGood is PollResult.Now of this poller's previous good poll, server
	// milliseconds; 0: none.
	LastGood int64
	// GoneAfter is how long nobody must have listed a stream before it is gone.
	GoneAfter time.Duration
	Info      SourceInfo // written only when changed
}

// PollResult is the store's answer to a good poll.
type PollResult struct {
	Now     int64  // server milliseconds
	Version string // of announced:<source> after the call
	// Stale: somebody else changed the set meanwhile and nothing of the
	// difference was applied; load the set and make the difference anew.
	Stale bool
	// Ruled: besides, other rules are in force than those of the poll.
	Ruled   bool
	Gone    []string // retracted by this call
	Changed []string // announced, changed or back by this call
	// NextGone is the time until the earliest retraction could be due; 0: none.
	NextGone time.Duration
}

// AnnouncedSet is what Redis knows of a source's streams.
type AnnouncedSet struct {
	Version string
	Entries map[string]string // key → stream.Announcement.Encode()
	Missing map[string]int64  // key → server milliseconds since it is not listed
}

// SourceInfo is what operators are shown about a source besides its streams.
type SourceInfo struct {
	// URL and Type say what the source is; credentials are never part of
	// the URL. Two different pairs under one name are a conflict.
	URL  string // of an exec source the digest of its command
	Type string // icecast, srtrelay, …; static; exec
	// Digest tells apart what hosts make of the same rules: their ${host:…} may
	// differ. Hosts that poll one source must agree in it.
	Digest string
	// Expect lists streams to be shown as missing when nobody publishes them.
	Expect []string
	// Refused counts mounts of the last good poll that were refused, Example
	// says which and why.
	Refused int
	Example string
	// Over counts new streams of the last good poll beyond Max, which is how many
	// the source may announce; OverExample is one of them.
	Over, Max   int
	OverExample string
	// Stalled lists streams that are listed but whose bytes do not grow.
	Stalled []string
	// Warning is something to mend that does not stop the source: refused
	// credentials, say.
	Warning string
}
