package stream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Labels say where a host or an ingest stands and what it has, by name. Two names
// mean places: LabelSite and LabelRegion.
type Labels map[string]string

// The labels that mean places, the nearer first.
const (
	LabelSite   = "site"
	LabelRegion = "region"
)

// MaxLabels is how many labels a host or an ingest may have.
const MaxLabels = 32

// labelValue is 1 to 63 bytes: what fits on a line beside others, and no value
// begins with "!", which says "not" where hosts are selected.
var labelValue = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]*$`)

// CheckLabel says why s may not name a label, or nil.
func CheckLabel(s string) error {
	if s == "name" {
		return fmt.Errorf("%q is the host's name itself; use another name", s)
	}
	return CheckVar(s)
}

// CheckLabelValue says why s may not be the value of a label, or nil.
func CheckLabelValue(s string) error {
	if len(s) > 63 || !labelValue.MatchString(s) {
		return fmt.Errorf("%s is no value of a label: 1 to 63 letters, digits, '.', '_', ':', '/', '+', '-', beginning with a letter or digit", Quote(s))
	}
	return nil
}

// Check says what is wrong with the labels, or nil.
func (l Labels) Check() error {
	if len(l) > MaxLabels {
		return fmt.Errorf("%d labels are too many: %d at most", len(l), MaxLabels)
	}
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if err := CheckLabel(name); err != nil {
			return err
		}
		if err := CheckLabelValue(l[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// Encode is the stored form, a JSON object with its names in order; empty for no
// labels. Equal labels encode equally.
func (l Labels) Encode() string {
	if len(l) == 0 {
		return ""
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(map[string]string(l)); err != nil {
		panic(err) // a map of strings always encodes
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// ParseLabels reads the stored form; it may have been edited by hand.
func ParseLabels(text string) (Labels, error) {
	if text == "" {
		return nil, nil
	}
	var l Labels
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return nil, fmt.Errorf("labels %s are no JSON object of names and values", Quote(text))
	}
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	return l, nil
}

// String is the labels on one line: gpu=vaapi site=ber.
func (l Labels) String() string {
	parts := make([]string, 0, len(l))
	for _, name := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, name+"="+l[name])
	}
	return strings.Join(parts, " ")
}

// Distance is how near two places are, the nearer the less.
type Distance int

// The distances.
const (
	SameHost Distance = iota
	SameSite
	SameRegion
	Far
)

// Between is the distance of places that have labels: they are one host, of a site, of a region,
// or far from each other. One that is no host, as a source or any of a class, has no name.
func Between(host string, l Labels, otherHost string, other Labels) Distance {
	switch {
	case host != "" && host == otherHost:
		return SameHost
	case l[LabelSite] != "" && l[LabelSite] == other[LabelSite]:
		return SameSite
	case l[LabelRegion] != "" && l[LabelRegion] == other[LabelRegion]:
		return SameRegion
	}
	return Far
}

func (d Distance) String() string { return [...]string{"host", "site", "region", "far"}[d] }
