package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"stream-api/internal/legible"
	"stream-api/stream"
)

// printJSON writes a value as indented JSON, the same for people and scripts.
func printJSON(w io.Writer, v any) error { return writeJSON(w, v, "  ") }

// printJSONLine writes a value as one line of JSON.
func printJSONLine(w io.Writer, v any) error { return writeJSON(w, v, "") }

// writeJSON escapes what a terminal would act on or hide, which encoding/json
// leaves as it is: the same JSON to whoever parses it.
func writeJSON(w io.Writer, v any, indent string) error {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", indent)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	var out strings.Builder
	for _, r := range text.String() {
		switch {
		case r == '\n' || !legible.Odd(r):
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// colour is an ANSI colour; plain is none.
type colour string

const (
	plain  colour = ""
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	grey   colour = "90"
)

// cell is one entry of a table.
type cell struct {
	text   string
	colour colour
}

// table lines up rows under a head. What strangers chose is made harmless.
type table struct {
	head []string
	rows [][]cell
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer, colours bool) error {
	widths := make([]int, len(t.head))
	for i, h := range t.head {
		widths[i] = utf8.RuneCountInString(h)
	}
	for r := range t.rows {
		for i := range t.rows[r] {
			t.rows[r][i].text = harmless(t.rows[r][i].text)
			widths[i] = max(widths[i], utf8.RuneCountInString(t.rows[r][i].text))
		}
	}
	var out strings.Builder
	line := func(cells []cell) {
		for i, c := range cells {
			pad := widths[i] - utf8.RuneCountInString(c.text)
			if i == len(cells)-1 {
				pad = 0
			}
			if colours && c.colour != plain {
				fmt.Fprintf(&out, "\x1b[%sm%s\x1b[0m", c.colour, c.text)
			} else {
				out.WriteString(c.text)
			}
			if i < len(cells)-1 {
				out.WriteString(strings.Repeat(" ", pad+2))
			}
		}
		out.WriteByte('\n')
	}
	head := make([]cell, len(t.head))
	for i, h := range t.head {
		head[i] = cell{h, grey}
	}
	line(head)
	for _, row := range t.rows {
		line(row)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// harmless is what may be printed of a text of strangers, "-" for none.
func harmless(s string) string {
	if s == "" {
		return "-"
	}
	return stream.Printable(s)
}

// onTerminal tells whether f shows colours.
func onTerminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
