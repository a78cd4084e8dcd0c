package stream

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Need is a variable of another slot of the chain without which a service
// cannot start. Its text form is slot:var, of what all instances say slot*:var.
type Need struct {
	Slot string
	Var  string
	All  bool
}

func (n Need) String() string {
	if n.All {
		return n.Slot + "*:" + n.Var
	}
	return n.Slot + ":" + n.Var
}

// ParseNeeds reads the space-separated text form FormatNeeds writes; what is
// malformed is an error.
func ParseNeeds(s string) ([]Need, error) {
	seen := map[Need]bool{}
	for _, field := range strings.Fields(s) {
		slot, name, ok := strings.Cut(field, ":")
		slot, all := strings.CutSuffix(slot, "*")
		if !ok || CheckType(slot) != nil || CheckVar(name) != nil {
			return nil, fmt.Errorf("%s is no need: write slot:variable", Quote(field))
		}
		seen[Need{Slot: slot, Var: name, All: all}] = true
	}
	return sortedNeeds(seen), nil
}

// FormatNeeds joins needs as slot:var with spaces.
func FormatNeeds(needs []Need) string {
	texts := make([]string, len(needs))
	for i, n := range needs {
		texts[i] = n.String()
	}
	return strings.Join(texts, " ")
}

// CompareNeeds orders needs by their text forms.
func CompareNeeds(a, b Need) int { return cmp.Compare(a.String(), b.String()) }

func sortedNeeds(set map[Need]bool) []Need {
	needs := make([]Need, 0, len(set))
	for n := range set {
		needs = append(needs, n)
	}
	slices.SortFunc(needs, CompareNeeds)
	return needs
}

// Class is everything but load that decides whether a service may take a
// slot of a stream. Services of one class are interchangeable, so eligibility
// is decided once per class and not once per host.
type Class struct {
	Filter string `json:"filter,omitempty"` // regular expression; matching streams only
	Prefer string `json:"prefer,omitempty"` // regular expression; matching streams first
	Needs  string `json:"needs,omitempty"`  // FormatNeeds
	Labels string `json:"labels,omitempty"` // of the host: Labels.Encode
}

// ID names the class in Redis keys: 12 hexadecimal digits of its digest. The store
// derives it of each service (lua/include/class.lua), so both do it alike.
func (c Class) ID() string {
	var text strings.Builder
	for _, part := range []string{c.Filter, c.Prefer, c.Needs, c.Labels} {
		fmt.Fprintf(&text, "%d:%s", len(part), part)
	}
	sum := sha1.Sum([]byte(text.String())) // what scripts of Redis have
	return hex.EncodeToString(sum[:6])
}

// Tier orders the classes that admit a stream: those that ask for it by
// filter or preference, those without an opinion, those that prefer others.
type Tier int

// The tiers, in the order in which room is looked for.
const (
	TierWanted Tier = iota
	TierNeutral
	TierOther
)

// Rule is a compiled class.
type Rule struct {
	Class  Class
	filter *regexp.Regexp
	prefer *regexp.Regexp
	needs  []Need
	labels Labels
}

// Compile checks and compiles the class. A class edited by hand in Redis may
// be nonsense: the error says what, and such a service takes nothing.
func (c Class) Compile() (*Rule, error) {
	r := &Rule{Class: c}
	var err error
	if c.Filter != "" {
		if r.filter, err = regexp.Compile(c.Filter); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
	}
	if c.Prefer != "" {
		if r.prefer, err = regexp.Compile(c.Prefer); err != nil {
			return nil, fmt.Errorf("prefer: %w", err)
		}
	}
	if r.needs, err = ParseNeeds(c.Needs); err != nil {
		return nil, fmt.Errorf("needs: %w", err)
	}
	if r.labels, err = ParseLabels(c.Labels); err != nil {
		return nil, err
	}
	return r, nil
}

// Labels are those of the hosts whose services are of the class.
func (r *Rule) Labels() Labels { return r.labels }

// Needs are the slot variables services of the class wait for.
func (r *Rule) Needs() []Need { return r.needs }

// Admits tells whether the class takes streams of this key, and in which
// tier it is asked.
func (r *Rule) Admits(key string) (Tier, bool) {
	if r.filter != nil && !r.filter.MatchString(key) {
		return 0, false
	}
	switch {
	case r.prefer != nil && r.prefer.MatchString(key), r.prefer == nil && r.filter != nil:
		return TierWanted, true
	case r.prefer == nil:
		return TierNeutral, true
	default:
		return TierOther, true
	}
}
