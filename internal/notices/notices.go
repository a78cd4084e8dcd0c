// Package notices holds the licences of all that is linked into the program.
// Each of them asks that its text go along with what was made of the code.
package notices

import (
	_ "embed"
	"strings"
)

// The file is made by `make notices` from the modules that the program links;
// a test compares the two, so a module that comes or goes brings its text along.
//
//go:embed notices.txt
var text string

// Text is all notices: each licence with the modules it covers.
func Text() string { return text }

// Module is one linked module, and the files that its notices come from.
type Module struct {
	Path    string `json:"path"`
	Version string `json:"version"` // empty: of std, Go itself, whose version `stream-api version` tells
	Files   string `json:"files"`   // separated by a space
}

// Modules are the linked modules in the order of their names.
func Modules() []Module {
	var all []Module
	head, _, _ := strings.Cut(text, "\n"+rule)
	for line := range strings.Lines(head) {
		row, is := strings.CutPrefix(strings.TrimRight(line, "\n"), "- ")
		if !is {
			continue
		}
		name, files, _ := strings.Cut(row, ": ")
		path, version, _ := strings.Cut(name, " ")
		all = append(all, Module{path, version, files})
	}
	return all
}

// rule stands between two texts.
const rule = "--------------------------------------------------------------------------------\n"
