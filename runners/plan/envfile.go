package plan

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"

	"stream-api/internal/regular"
	"stream-api/stream"
)

// maxEnvFile is more than any set of secrets needs; it keeps a mistyped path
// from filling the memory.
const maxEnvFile = 64 << 10

// envFile is one file of env_file as a start finds it.
type envFile struct {
	path string
	// below is the directory that the file must not lead out of, if others chose
	// its name there; else the path is the file's own, and links in it count.
	below, name string
}

// EnvPlace is what is known of an item of env_file before a stream is: the file's
// path, or with many the directory below which a stream's name and variables
// choose one. here finds ${host:…}. Error: there is no such directory in what
// stands before them.
func EnvPlace(t stream.Template, here stream.Lookup) (place string, many bool, err error) {
	head, whole, err := t.Head(func(r stream.Ref) bool { return r.Scope == "host" }, here)
	if err != nil || whole {
		return head, false, err
	}
	dir := head[:strings.LastIndexByte(head, '/')+1]
	switch place = strings.TrimSuffix(dir, "/"); {
	case place == "" || !path.IsAbs(place):
		return "", false, fmt.Errorf("%s: before its first ${…} must stand a directory, whose files are for this alone, as in /etc/stream-api/env/${stream:key}.env", t)
	case path.Clean(place) != place:
		return "", false, fmt.Errorf("%s: write the directory before its first ${…} plainly, as %s", t, path.Clean(place))
	}
	return place, true, nil
}

// envFiles fills in the paths. A stream's name and variables are of strangers, so
// what comes of them must be a file below the directory that is written out.
func (e *Exec) envFiles(lookup stream.Lookup) ([]envFile, error) {
	var files []envFile
	for _, t := range e.EnvFile {
		place, many, err := EnvPlace(t, lookup)
		if err != nil {
			return nil, err
		}
		if !many {
			files = append(files, envFile{path: place})
			continue
		}
		full, err := t.Resolve(lookup)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(full, place+"/")
		if !fs.ValidPath(name) || name == "." || strings.ContainsFunc(name, unicode.IsControl) {
			return nil, fmt.Errorf("%s would be %s, which is refused: nothing that is filled in may have .., empty parts, a / at its beginning or control characters", t, stream.Quote(full))
		}
		files = append(files, envFile{path: full, below: place, name: name})
	}
	return files, nil
}

// read reads lines NAME=value: blank lines and those beginning with # are passed
// over, "export " before a name too, and one pair of quotes round the whole value.
// The error names the line and never its text.
func (f envFile) read() (map[string]string, error) {
	text, err := f.text()
	if err != nil {
		return nil, err
	}
	vars := map[string]string{}
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), stream.ByteOrderMark)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if name = strings.TrimSpace(name); !ok || !envName(name) {
			return nil, fmt.Errorf("%s line %d is not NAME=value", f.path, n)
		}
		vars[name] = unquote(strings.TrimSpace(value))
	}
	return vars, nil
}

func (f envFile) text() ([]byte, error) {
	if f.below != "" {
		return regular.ReadBelow(f.below, f.name, maxEnvFile)
	}
	return regular.ReadGiven(f.path, maxEnvFile)
}

func envName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}
