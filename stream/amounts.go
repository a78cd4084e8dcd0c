package stream

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Amount is how much of a pool, in thousandths.
type Amount int64

// MaxAmount is the most that a pool may have: a million.
const MaxAmount Amount = 1_000_000_000

// String writes it as people do: 1500 thousandths are 1.5.
func (a Amount) String() string {
	text := fmt.Sprintf("%d.%03d", a/1000, a%1000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// Float is in whole ones.
func (a Amount) Float() float64 { return float64(a) / 1000 }

// MarshalJSON writes it as a number of whole ones.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Amount) UnmarshalJSON(text []byte) error {
	v, err := ParseAmount(string(text))
	if err == nil {
		*a = v
	}
	return err
}

var amountPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,6})(?:\.([0-9]{1,3}))?$`)

// ParseAmount reads a number from 0 to a million with up to three digits after the
// point.
func ParseAmount(s string) (Amount, error) {
	m := amountPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("%s is no amount: write a number from 0 to 1000000 with up to three digits after the point, such as 1.5", Quote(s))
	}
	n, err := strconv.ParseInt(m[1]+(m[2] + "000")[:3], 10, 64)
	if err != nil || Amount(n) > MaxAmount {
		return 0, fmt.Errorf("%s is more than a million", Quote(s))
	}
	return Amount(n), nil
}

var poolPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// CheckPool says why s is no name of a pool, or nil.
func CheckPool(s string) error {
	if len(s) <= 32 && poolPattern.MatchString(s) {
		return nil
	}
	return fmt.Errorf("%s is no name of a pool: a small letter, then up to 31 small letters, digits or '_'", Quote(s))
}

// Amounts are amounts by pool.
type Amounts map[string]Amount

// Names are the pools, in order.
func (a Amounts) Names() []string { return slices.Sorted(maps.Keys(a)) }

// String writes them for people: cpu 1.5, nvenc 1.
func (a Amounts) String() string {
	var parts []string
	for _, name := range a.Names() {
		parts = append(parts, name+" "+a[name].String())
	}
	return strings.Join(parts, ", ")
}

// Encode writes the field of the store, a JSON object of thousandths; empty for none.
func (a Amounts) Encode() string {
	if len(a) == 0 {
		return ""
	}
	var parts []string
	for _, name := range a.Names() {
		parts = append(parts, fmt.Sprintf("%q:%d", name, int64(a[name])))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

var (
	encodedAmounts = regexp.MustCompile(`^[\t-\r ]*\{[\t-\r ]*((?s:.*?))[\t-\r ]*\}[\t-\r ]*$`)
	encodedAmount  = regexp.MustCompile(`^[\t-\r ]*"([a-z][a-z0-9_]*)"[\t-\r ]*:[\t-\r ]*(0|[1-9][0-9]{0,9})[\t-\r ]*$`)
	errNoAmounts   = errors.New(`it is no JSON object of whole thousandths by pool, such as {"cpu":1500,"nvenc":1000}`)
)

// DecodeAmounts reads the field of the store, which people may edit; amounts() of the
// scripts is the same. An empty one has none.
func DecodeAmounts(text string) (Amounts, error) {
	if text == "" {
		return nil, nil
	}
	m := encodedAmounts.FindStringSubmatch(text)
	if m == nil {
		return nil, errNoAmounts
	}
	out := Amounts{}
	if m[1] == "" {
		return out, nil
	}
	for part := range strings.SplitSeq(m[1], ",") {
		p := encodedAmount.FindStringSubmatch(part)
		if p == nil {
			return nil, errNoAmounts
		}
		n, err := strconv.ParseInt(p[2], 10, 64)
		if _, twice := out[p[1]]; err != nil || twice || Amount(n) > MaxAmount {
			return nil, errNoAmounts
		}
		out[p[1]] = Amount(n)
	}
	return out, nil
}
