package plan

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"stream-api/stream"
)

// maxEnvFile is more than any set of secrets needs; it keeps a mistyped path
// from filling the memory.
const maxEnvFile = 64 << 10

// readEnvFile reads lines NAME=value: blank lines and those beginning with #
// are passed over, "export " before a name too, and one pair of quotes round
// the whole value. The error names the line and never its text.
func readEnvFile(path string) (map[string]string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would block
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxEnvFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxEnvFile)
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
			return nil, fmt.Errorf("%s line %d is not NAME=value", path, n)
		}
		vars[name] = unquote(strings.TrimSpace(value))
	}
	return vars, nil
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
