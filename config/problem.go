package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Position is a place in a file. Line and Column count from 1, Column in
// characters.
type Position struct {
	File   string
	Line   int
	Column int
}

func (p Position) String() string {
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one thing that is wrong, or (as a warning) will disappoint.
type Problem struct {
	Position
	// Path is the key, such as services.transcode.capacity; empty if the
	// file as a whole is meant.
	Path    string
	Message string
	// Text is the offending line, passwords masked; empty if the file has
	// no such line.
	Text string
}

// String is the problem over up to three lines: where and what, the offending
// line, a caret under the place.
func (p Problem) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: ", p.Position)
	if p.Path != "" {
		fmt.Fprintf(&out, "%s: ", p.Path)
	}
	out.WriteString(p.Message)
	if p.Text == "" {
		return out.String()
	}
	number := fmt.Sprintf("%5d | ", p.Line)
	text, column := excerpt(p.Text, p.Column)
	fmt.Fprintf(&out, "\n%s%s\n%s%s^", number, text,
		strings.Repeat(" ", len(number)-2)+"| ", strings.Repeat(" ", column-1))
	return out.String()
}

// excerptWidth is how many characters of a long line are shown.
const excerptWidth = 110

// excerpt cuts a long line around the column, makes every character one cell
// wide, and says where the column is then.
func excerpt(line string, column int) (string, int) {
	runes := []rune(line)
	for i, r := range runes {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			runes[i] = ' '
		}
	}
	column = max(1, min(column, len(runes)+1))
	if len(runes) <= excerptWidth {
		return string(runes), column
	}
	from := max(0, min(column-excerptWidth/2, len(runes)-excerptWidth))
	to := min(len(runes), from+excerptWidth)
	text := string(runes[from:to])
	column -= from
	if from > 0 {
		text, column = "…"+text, column+1
	}
	if to < len(runes) {
		text += "…"
	}
	return text, column
}

// Error is everything that is wrong with the files given to Load.
type Error struct {
	Problems []Problem // in order of file and line; at least one, 100 at most
	More     int       // further problems, not kept
}

// maxProblems is how many are kept; nobody mends more at a time.
const maxProblems = 100

func (e *Error) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	if e.More > 0 {
		texts = append(texts, fmt.Sprintf("… and %d more problems", e.More))
	}
	return strings.Join(texts, "\n")
}

// ExitCode is that of a wrong configuration.
func (e *Error) ExitCode() int { return 2 }

// problems collects. Each position and message counts once, however many
// aliases lead there.
type problems struct {
	files []*file
	list  []Problem
	more  int
	seen  map[string]bool
}

func (p *problems) add(at place, path, format string, args ...any) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	problem := at.problem(path, maskURL(fmt.Sprintf(format, args...)))
	id := problem.Position.String() + problem.Message
	if p.seen[id] {
		return
	}
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[id] = true
	p.list = append(p.list, problem)
}

// about tells whether there is one of that path.
func (p *problems) about(path string) bool {
	return slices.ContainsFunc(p.list, func(known Problem) bool { return known.Path == path })
}

// sorted orders by file as given, then line and column.
func (p *problems) sorted() []Problem {
	order := map[string]int{}
	for i, f := range p.files {
		order[f.name] = i
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p.list
}

func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	return &Error{Problems: p.sorted(), More: p.more}
}

// file is one input, kept for the lines shown in messages.
type file struct {
	name   string
	lines  []string
	masked map[int]string // lines shown before, by number
}

func newFile(name string, data []byte) *file {
	return &file{name: name, masked: map[int]string{}, lines: strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")}
}

// place is a position whose file is at hand.
type place struct {
	file   *file
	line   int
	column int
}

// top is the beginning of a file: where something missing is reported.
func (f *file) top() place { return place{file: f, line: 1, column: 1} }

func (at place) text() string {
	if at.line < 1 || at.line > len(at.file.lines) {
		return ""
	}
	return at.file.lines[at.line-1]
}

func (at place) problem(path, message string) Problem {
	return Problem{
		Position: Position{File: at.file.name, Line: max(1, at.line), Column: max(1, at.column)},
		Path:     path, Message: message,
		Text: at.maskedText(path),
	}
}

func (at place) maskedText(path string) string {
	text, ok := at.file.masked[at.line]
	if !ok {
		if text = maskLine(at.text()); text != "" && at.file.below(at.line) {
			text = hideFrom(text, 1+indent(text))
		}
		at.file.masked[at.line] = text
	}
	if secretPath(path) {
		return hideFrom(text, at.column)
	}
	return text
}
