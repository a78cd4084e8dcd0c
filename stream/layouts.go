package stream

import (
	"fmt"
	"strconv"
	"strings"
)

// Layouts are the layouts of the store's keys that a program speaks, From to To.
type Layouts struct{ From, To int }

// ParseLayouts reads what String wrote. Nonsense, as by hand, is no layout at all.
func ParseLayouts(text string) Layouts {
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return Layouts{}
	}
	to, err := strconv.Atoi(last)
	if err != nil || from < 1 || to < from {
		return Layouts{}
	}
	return Layouts{from, to}
}

// String is "2" or "2-3"; empty for none.
func (l Layouts) String() string {
	if l == (Layouts{}) {
		return ""
	}
	if l.From == l.To {
		return strconv.Itoa(l.From)
	}
	return fmt.Sprintf("%d-%d", l.From, l.To)
}

// Speaks tells whether layout n is one of them.
func (l Layouts) Speaks(n int) bool { return l.From <= n && n <= l.To }

// LessSpoken names the hosts, each with what it speaks, that do not speak the
// latest layout which any host speaks. Those that are down are not asked.
func LessSpoken(hosts []HostStatus) (less []string, latest int) {
	for _, h := range hosts {
		if h.State != Down {
			latest = max(latest, ParseLayouts(h.Layouts).To)
		}
	}
	for _, h := range hosts {
		if h.State != Down && !ParseLayouts(h.Layouts).Speaks(latest) {
			less = append(less, h.Host+" ("+h.Layouts+")")
		}
	}
	return less, latest
}
