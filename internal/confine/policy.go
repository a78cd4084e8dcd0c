package confine

import (
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
)

// Level says how much is kept from a child.
type Level string

// Levels; the empty one is None.
const (
	None Level = "none"
	Hide Level = "hide"
)

// Env tells a program that it is confined, and at which level.
const Env = "STREAM_API_CONFINE"

// Policy is what one child is kept from. It is part of what the child is started with: another policy is another child.
type Policy struct {
	Level Level `json:"level,omitempty"`
	// Require: no start where the kernel cannot hold all of it.
	Require bool `json:"require,omitempty"`
	// Hidden are files and directories, as absolute paths. They need not exist.
	Hidden []string `json:"hidden,omitempty"`
	// Own are those of the hidden files that the child may read.
	Own []string `json:"own,omitempty"`
}

// Confines tells whether the policy is any.
func (p Policy) Confines() bool { return p.Level == Hide }

// With is p for a child that may read path, too.
func (p Policy) With(path string) Policy {
	if p.Confines() {
		p.Own = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(p.Own), path))))
	}
	return p
}

// Check reports what is wrong with the policy.
func (p Policy) Check() error {
	if p.Level != "" && p.Level != None && p.Level != Hide {
		return fmt.Errorf("confine: level %q is not known, only none and hide", p.Level)
	}
	for _, path := range append(slices.Clone(p.Hidden), p.Own...) {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("confine: %q is no absolute path", path)
		}
	}
	return nil
}

// Same tells whether a child under p is kept from the same as one under q.
func (p Policy) Same(q Policy) bool {
	return p.Confines() == q.Confines() && p.Require == q.Require && slices.Equal(p.Hidden, q.Hidden) && slices.Equal(p.Own, q.Own)
}

// Hiding returns the hidden place in which path lies for a child under p, or "". open are places that are the child's own.
func (p Policy) Hiding(path string, open ...string) string {
	if !p.Confines() || !filepath.IsAbs(path) {
		return ""
	}
	path = real(path)
	for _, mine := range append(open, p.Own...) {
		if within(path, real(mine)) {
			return ""
		}
	}
	for hidden, at := range p.places() {
		if within(path, at) {
			return hidden
		}
	}
	return ""
}

// kernels are directories whose entries are the kernel's: it would be no use to hide one, and on the way to it no new process or
// device could be seen.
var kernels = []string{"/proc", "/sys", "/dev"}

// places gives each hidden place with where it really is.
func (p Policy) places() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, hidden := range p.Hidden {
			at := real(hidden)
			if !slices.ContainsFunc(kernels, func(dir string) bool { return within(at, dir) }) && !yield(hidden, at) {
				return
			}
		}
	}
}

// Within returns a hidden place that lies below dir, or "". On the way to it nothing new can be made or seen.
func (p Policy) Within(dir string) string {
	if !p.Confines() {
		return ""
	}
	dir = real(dir)
	for hidden, at := range p.places() {
		if at != dir && within(at, dir) {
			return hidden
		}
	}
	return ""
}

func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// real is path without links, as far as it exists.
func real(path string) string {
	path = filepath.Clean(path)
	for rest := ""; ; {
		if at, err := filepath.EvalSymlinks(path); err == nil {
			return filepath.Join(at, rest)
		}
		if path == "/" {
			return filepath.Join(path, rest)
		}
		rest, path = filepath.Join(filepath.Base(path), rest), filepath.Dir(path)
	}
}
