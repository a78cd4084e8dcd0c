package stream

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Mount is one live stream as an ingest lists it, before any rule of ours.
type Mount struct {
	// Key is the mount's path without its leading slash; strangers choose
	// it, so it may be anything.
	Key string
	// Vars are facts of the ingest worth knowing downstream, such as url
	// (to pull from), content_type or bitrate.
	Vars map[string]string
	// Session tells two publications under one key apart, where the ingest
	// says so; else empty.
	Session string
	// Bytes received so far; -1 where the ingest does not say.
	Bytes int64
}

// Announcement is what a source says of one live stream. It is stored as
// JSON in the hash announced:<source> under the stream's key.
type Announcement struct {
	Chain []string `json:"chain"`
	// Items are the items of the chain that say more than their slot's name.
	Items    Items `json:"items,omitempty"`
	Priority int   `json:"priority,omitempty"`
	// Rank orders sources of the same stream; the higher wins.
	Rank int `json:"rank,omitempty"`
	// Vars are the stream's user values: ${stream:<var>}.
	Vars map[string]string `json:"vars,omitempty"`
	// Source is what dependants see as ${source:<var>}.
	Source map[string]string `json:"source,omitempty"`
	// Labels say where the source stands.
	Labels Labels `json:"labels,omitempty"`
	// Session is the ingest's name of this publication, where it gives one.
	Session string `json:"session,omitempty"`
}

// Check says why the announcement may not be made, or nil.
func (a Announcement) Check() error {
	if err := CheckChain(a.Chain); err != nil {
		return err
	}
	if err := a.Items.Check(a.Chain); err != nil {
		return err
	}
	if a.Priority < 0 || a.Priority > MaxPriority {
		return fmt.Errorf("priority %d is out of range 0 to %d", a.Priority, MaxPriority)
	}
	if err := CheckVars(a.Vars); err != nil {
		return err
	}
	if err := a.Labels.Check(); err != nil {
		return err
	}
	return CheckVars(a.Source)
}

// Encode is the stored form. Equal announcements encode equally.
func (a Announcement) Encode() string {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	return string(text)
}

// DecodeAnnouncement reads the stored form; Redis may have been edited by
// hand, so it is checked like any other input.
func DecodeAnnouncement(text string) (Announcement, error) {
	var a Announcement
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return Announcement{}, fmt.Errorf("decode announcement: %w", err)
	}
	if err := a.Check(); err != nil {
		return Announcement{}, fmt.Errorf("announcement: %w", err)
	}
	return a, nil
}

// MaxPriority is the highest priority of a stream; higher is served first.
const MaxPriority = 899

// ParseRank reads a rank as a file has it: a number from -1000 to 1000; empty: 0.
func ParseRank(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < -1000 || n > 1000 {
		return 0, fmt.Errorf("%s is no rank: write a number from -1000 to 1000; the higher wins", Quote(text))
	}
	return n, nil
}
