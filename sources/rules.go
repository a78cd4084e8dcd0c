package sources

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"stream-api/stream"
)

// Rules are all that says which streams of a source are announced and how, as a file has it, before ${host:…} is filled
// in. They belong to the network: the store holds those in force, and every poller announces by them. What is asked, and
// as whom, is no part of them.
//
// Their JSON is canonical: what announces alike reads alike, byte for byte. A field that this program does not know is an
// error, as whoever announced without it would undo what the others announce.
type Rules struct {
	Match     string            `json:"match,omitempty"`
	Strip     string            `json:"strip,omitempty"`
	Streams   []FixedStream     `json:"streams,omitempty"` // of a static source, by key
	Pull      string            `json:"pull,omitempty"`
	Stream    map[string]string `json:"stream,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Chain     []string          `json:"chain"`
	Items     stream.Items      `json:"items,omitempty"` // of the chain, by slot
	Priority  int               `json:"priority,omitempty"`
	Rank      string            `json:"rank,omitempty"`
	Rules     []WrittenRule     `json:"rules,omitempty"`
	Expect    []string          `json:"expect,omitempty"` // sorted
	GoneAfter string            `json:"gone_after"`
}

// FixedStream is one stream of a static source.
type FixedStream struct {
	Key  string            `json:"key"`
	Vars map[string]string `json:"vars,omitempty"`
}

// WrittenRule is a Rule as it is written.
type WrittenRule struct {
	Match    string            `json:"match"`
	Chain    []string          `json:"chain,omitzero"`  // absent: the source's; []: no slots
	Items    stream.Items      `json:"items,omitempty"` // where they are not those of the source's chain
	Priority *int              `json:"priority,omitempty"`
	Vars     map[string]string `json:"vars,omitempty"`
}

// Rules are those of the configuration.
func (c *Config) rules() Rules {
	r := Rules{
		Match: pattern(c.Match), Strip: c.Strip, Pull: c.Pull, Stream: c.SourceVars, Labels: c.Labels, Chain: c.Chain, Items: c.Items.Canonical(), Priority: c.Priority, Rank: rankAsRule(c.Rank),
		Expect: slices.Sorted(slices.Values(c.Expect)), GoneAfter: c.GoneAfter.String(),
	}
	if r.Chain == nil {
		r.Chain = []string{}
	}
	for _, m := range c.Mounts {
		r.Streams = append(r.Streams, FixedStream{m.Key, m.Vars})
	}
	slices.SortFunc(r.Streams, func(a, b FixedStream) int { return cmp.Compare(a.Key, b.Key) })
	for _, one := range c.Rules {
		r.Rules = append(r.Rules, WrittenRule{pattern(one.Match), one.Chain, one.Items.Over(c.Items), one.Priority, one.Vars})
	}
	return r
}

// under is the configuration with other rules in the place of its own; what is asked and how often stays.
func (c Config) under(r Rules) (Config, error) {
	var errs []error
	compile := func(text string) *regexp.Regexp {
		re, err := regexp.Compile(text)
		errs = append(errs, err)
		return re
	}
	c.Match, c.Mounts, c.Rules = nil, nil, nil
	if r.Match != "" {
		c.Match = compile(r.Match)
	}
	c.Strip, c.Pull, c.SourceVars, c.Labels, c.Chain, c.Items, c.Priority, c.Rank, c.Expect = r.Strip, r.Pull, r.Stream, r.Labels, r.Chain, r.Items, r.Priority, r.Rank, r.Expect
	for _, one := range r.Streams {
		c.Mounts = append(c.Mounts, stream.Mount{Key: one.Key, Vars: one.Vars, Bytes: -1})
	}
	for _, one := range r.Rules {
		c.Rules = append(c.Rules, Rule{compile(one.Match), one.Chain, one.Items, one.Priority, one.Vars})
	}
	var err error
	if c.GoneAfter, err = time.ParseDuration(r.GoneAfter); err != nil {
		errs = append(errs, fmt.Errorf("gone_after: %w", err))
	}
	return c, errors.Join(errs...)
}

// Encode is the canonical text of the rules.
func (r Rules) Encode() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read it in redis-cli
	if err := e.Encode(r); err != nil {
		panic(err) // texts, numbers and lists of them always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// DecodeRules reads what Encode wrote.
func DecodeRules(text string) (Rules, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	var r Rules
	if err := d.Decode(&r); err != nil {
		return Rules{}, fmt.Errorf("rules do not read: %w", err)
	}
	return r, nil
}

// RulesDigest tells rules apart by their text.
func RulesDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// rankAsRule is the one form of a rank: a number reads alike however it is
// written, and 0 as if none was.
func rankAsRule(text string) string {
	switch n, err := stream.ParseRank(text); {
	case err != nil:
		return text // ${host:…}
	case n == 0:
		return ""
	default:
		return strconv.Itoa(n)
	}
}

func pattern(r *regexp.Regexp) string {
	if r == nil {
		return ""
	}
	return r.String()
}
