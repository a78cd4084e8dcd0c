package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stream-api/stream"
)

// Ruling is rules of a source with who wrote them. Version 0: there are none.
type Ruling struct {
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
	By      string `json:"by"`   // the host whose file they are of
	At      int64  `json:"at"`   // when they came into force, server ms
	Text    string `json:"text"` // canonical
}

// ID tells rulings apart; empty for none.
func (r Ruling) ID() string {
	if r.Version == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s", r.Version, r.Digest)
}

func (r Ruling) String() string { return fmt.Sprintf("v%d of %s", r.Version, r.By) }

// RulesOffer is what a poller says of the rules of its source.
type RulesOffer struct {
	Source, Host string
	// Info says what is asked.
	Info SourceInfo
	// Refused is why the host can announce nothing, empty if it can.
	Refused string
	// Digest and Text are of the rules in the host's file, Wants the version they ask for, 0 for none.
	Digest, Text string
	Wants        int64
	// Fresh: the host has just started, so that its file may be another than before.
	Fresh bool
	// Base is what was in force when the host's file last said the same; its text does not count.
	Base Ruling
	// Remembered is what was in force when the host last asked, in this life of the store or an earlier one; What how its
	// own rules differ from that, in words.
	Remembered Ruling
	What       string
}

// The answers to an offer.
const (
	RulesAgree  = "ok"      // the file says what is in force
	RulesWon    = "won"     // it is in force now
	RulesDiffer = "differs" // others stay in force
	RulesWait   = "wait"    // none are in force yet, and nobody may say which in a hold
	RulesStale  = "stale"   // others are in force than are remembered: look at them and come again
)

// RulesAnswer is the store's.
type RulesAnswer struct {
	Word    string        // RulesAgree and so on
	InForce Ruling        // of RulesStale; of RulesWon without digest and text
	Wait    time.Duration // until the offer is worth repeating; 0: it is not
}

// OfferRules holds what a host's file says of a source against the rules in force. Error: *SourceTakenError.
func (s *Store) OfferRules(ctx context.Context, o RulesOffer) (RulesAnswer, error) {
	fresh := 0
	if o.Fresh {
		fresh = 1
	}
	m := o.Remembered
	r, err := s.call(ctx, "rules", o.Source, o.Host, o.Info.Asked(), o.Refused, o.Digest, o.Text, o.Wants, fresh,
		o.Base.Version, o.Base.Digest, o.What, m.Version, m.Digest, m.By, m.At, m.Text)
	if err != nil {
		return RulesAnswer{}, err
	}
	switch r.status() {
	case "ok":
		return RulesAnswer{Word: RulesAgree}, nil
	case "won":
		return RulesAnswer{Word: RulesWon, InForce: Ruling{Version: r.num(1), By: o.Host, At: r.num(2)}}, nil
	case "differs":
		return RulesAnswer{Word: RulesDiffer, Wait: time.Duration(r.num(1)) * time.Millisecond}, nil
	case "wait":
		return RulesAnswer{Word: RulesWait, Wait: time.Duration(r.num(1)) * time.Millisecond}, nil
	case "stale":
		return RulesAnswer{Word: RulesStale, InForce: Ruling{Version: r.num(1), Digest: r.str(2), By: r.str(3), At: r.num(4), Text: r.str(5)}}, nil
	case "taken":
		return RulesAnswer{}, &SourceTakenError{Source: o.Source, Identity: r.str(1), Poller: r.str(2)}
	}
	return RulesAnswer{}, r.unexpected("rules")
}

// differsFresh is for how long a host's word that its file differs is believed; its poller repeats it every RulesRepeat.
const (
	differsFresh = 30 * time.Second
	RulesRepeat  = 10 * time.Second
)

// DifferingFile is what a host's file says of a source, if that is not what is in force.
type DifferingFile struct {
	stream.DifferingFile
	Text string // canonical rules
}

// RulesOf reads the rules of a source that are in force, and the files that differ from them, by host. Error:
// ErrNotFound if there are none.
func (s *Store) RulesOf(ctx context.Context, source string) (Ruling, []DifferingFile, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return Ruling{}, nil, err
	}
	pipe := s.client.Pipeline()
	record, differs := pipe.HGetAll(ctx, s.key("source", source)), pipe.HGetAll(ctx, s.key("differs", source))
	if err := pipelined(pipe.Exec(ctx)); err != nil {
		return Ruling{}, nil, fmt.Errorf("read the rules of source %s: %w", source, err)
	}
	if r := rulingOf(record.Val()); r.Version > 0 {
		return r, differing(differs.Val(), now), nil
	}
	return Ruling{}, nil, fmt.Errorf("source %s: %w", stream.Quote(source), ErrNotFound)
}

func rulingOf(row map[string]string) Ruling {
	if row["rules"] == "" {
		return Ruling{}
	}
	return Ruling{Version: atoi64(row["rules_version"]), Digest: row["rules_digest"], By: row["rules_by"], At: atoi64(row["rules_at"]), Text: row["rules"]}
}

// differing sorts out what differs:<source> holds, without the hosts that have not spoken for a while.
func differing(row map[string]string, now int64) []DifferingFile {
	var out []DifferingFile
	for _, field := range slices.Sorted(maps.Keys(row)) {
		host, ok := strings.CutPrefix(field, "at:")
		if !ok {
			continue
		}
		since, last, _ := strings.Cut(row[field], " ")
		if now-atoi64(last) > differsFresh.Milliseconds() {
			continue
		}
		out = append(out, DifferingFile{
			DifferingFile: stream.DifferingFile{Host: host, Since: atoi64(since), What: row["what:"+host], Refused: row["refused:"+host]},
			Text:          row["rules:"+host],
		})
	}
	return out
}
