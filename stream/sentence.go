package stream

import (
	"fmt"
	"strings"
)

// sentence is a text with gaps. {name} is a fact, {cause} the sentence of what is
// behind the reason; {name=value} prints nothing and holds if the fact is that.
// [a|b|…] is the first part all of whose gaps hold, or nothing.
type sentence []choice

// choice is a choice of lines; one that stands outside of brackets has one, and
// has to hold.
type choice struct {
	lines    [][]gap
	optional bool
}

// gap is a text, then a fact, if it has one.
type gap struct {
	text, fact, must string
	has              bool
}

// parseSentence reads the form above. It panics at what is none, as sentences
// are part of the program.
func parseSentence(text string) sentence {
	var s sentence
	for text != "" {
		open := strings.IndexByte(text, '[')
		if open < 0 {
			return append(s, choice{lines: [][]gap{parseGaps(text)}})
		}
		if open > 0 {
			s = append(s, choice{lines: [][]gap{parseGaps(text[:open])}})
		}
		inside, rest, closed := strings.Cut(text[open+1:], "]")
		if !closed {
			panic(fmt.Sprintf("stream: no ] in %q", text))
		}
		p := choice{optional: true}
		for line := range strings.SplitSeq(inside, "|") {
			p.lines = append(p.lines, parseGaps(line))
		}
		s, text = append(s, p), rest
	}
	return s
}

func parseGaps(text string) []gap {
	var out []gap
	for text != "" {
		before, rest, more := strings.Cut(text, "{")
		if !more {
			return append(out, gap{text: text})
		}
		fact, after, closed := strings.Cut(rest, "}")
		if !closed {
			panic(fmt.Sprintf("stream: no } in %q", text))
		}
		g := gap{text: before, has: true}
		g.fact, g.must, _ = strings.Cut(fact, "=")
		out, text = append(out, g), after
	}
	return out
}

// fill is the text for a reason; false if a fact that it needs is not there.
func (s sentence) fill(r Reason) (string, bool) {
	var b strings.Builder
	for _, p := range s {
		found := p.optional
		for _, line := range p.lines {
			if text, holds := fillLine(line, r); holds {
				b.WriteString(text)
				found = true
				break
			}
		}
		if !found {
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}

func fillLine(line []gap, r Reason) (string, bool) {
	var b strings.Builder
	for _, g := range line {
		b.WriteString(g.text)
		if !g.has {
			continue
		}
		value := r.Facts[g.fact]
		if g.fact == factCause {
			value = r.Cause().String()
		}
		switch {
		case value == "" || g.must != "" && value != g.must:
			return "", false
		case g.must == "":
			b.WriteString(value)
		}
	}
	return b.String(), true
}
