package stream

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// The patterns of every name that may become part of a Redis key, a task id,
// a path or a line of a log. Stream keys come from strangers: whoever may
// publish chooses them. Lengths stand beside the patterns: a repetition that
// is counted is compiled into as many copies, and every supervisor of every
// child would hold them in its memory.
var (
	keyPart     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]*$`)     // 1 to 64 bytes, 1 to 4 parts joined by /
	typePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)                 // 1 to 32 bytes
	varPattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)          // 1 to 64 bytes
	hostLabel   = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`) // 1 to 63 bytes, joined by .
)

// allFit tells whether s is made of at most so many parts joined by separator,
// each of at most so many bytes and in the pattern.
func allFit(s, separator string, parts, bytes int, pattern *regexp.Regexp) bool {
	if strings.Count(s, separator) >= parts {
		return false
	}
	for part := range strings.SplitSeq(s, separator) {
		if len(part) > bytes || !pattern.MatchString(part) {
			return false
		}
	}
	return true
}

// SourceType is the type under which a source is registered among the
// services (service:source:<host>); no slot may bear it.
const SourceType = "source"

// Limits of what strangers may hand in as values.
const (
	MaxValueBytes = 4096 // of one variable
	MaxVars       = 64   // of one stream or slot
	MaxChain      = 32   // slots in a chain
)

// reservedVars are the fields of stream:<key> that the system owns.
var reservedVars = map[string]bool{"key": true, "chain": true, "items": true, "source": true, "priority": true}

// CheckKey says why s is no stream key, or nil.
func CheckKey(s string) error {
	if allFit(s, "/", 4, 64, keyPart) {
		return nil
	}
	return fmt.Errorf("%s is no stream key: 1 to 4 parts joined by '/', each of 1 to 64 letters, digits, '.', '_', '~', '-' and beginning with a letter or digit", Quote(s))
}

// CheckType says why s is no service type (and so no slot name), or nil.
func CheckType(s string) error {
	if s == SourceType {
		return fmt.Errorf("%q is kept for sources; name the service otherwise", s)
	}
	if len(s) <= 32 && typePattern.MatchString(s) {
		return nil
	}
	return fmt.Errorf("%s is no service type: a small letter, then up to 31 small letters, digits or '_'", Quote(s))
}

// CheckHost says why s is no host name, or nil: a lower-case DNS name or an
// IP address.
func CheckHost(s string) error {
	if len(s) <= 253 && allFit(s, ".", 127, 63, hostLabel) {
		return nil
	}
	if _, err := netip.ParseAddr(s); err == nil && s == strings.ToLower(s) && !strings.Contains(s, "%") {
		return nil
	}
	return fmt.Errorf("%s is no host name: a lower-case DNS name or an IP address", Quote(s))
}

// CheckVar says why s may not name a variable of a stream or slot, or nil.
func CheckVar(s string) error {
	if len(s) > 64 || !varPattern.MatchString(s) {
		return fmt.Errorf("%s is no variable name: a letter or '_', then up to 63 letters, digits or '_'", Quote(s))
	}
	return nil
}

// CheckVars checks user values of a stream: their names, that none of them
// is a field the system owns, their number and their sizes.
func CheckVars(vars map[string]string) error {
	if len(vars) > MaxVars {
		return fmt.Errorf("%d variables are too many: %d at most", len(vars), MaxVars)
	}
	for name, value := range vars {
		if err := CheckVar(name); err != nil {
			return err
		}
		if reservedVars[name] {
			return fmt.Errorf("variable %q is a field of the stream itself; use another name", name)
		}
		if len(value) > MaxValueBytes {
			return fmt.Errorf("variable %q has %d bytes: %d at most", name, len(value), MaxValueBytes)
		}
	}
	return nil
}

// CheckChain checks a chain: each slot a type, none twice.
func CheckChain(chain []string) error {
	if len(chain) > MaxChain {
		return fmt.Errorf("a chain of %d slots is too long: %d at most", len(chain), MaxChain)
	}
	seen := make(map[string]bool, len(chain))
	for _, slot := range chain {
		if err := CheckType(slot); err != nil {
			return err
		}
		if seen[slot] {
			return fmt.Errorf("chain names %q twice; a stream has each slot once", slot)
		}
		seen[slot] = true
	}
	return nil
}

// Quote makes strangers' text fit for a message: quoted, cut at 80 bytes,
// without control characters.
func Quote(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%+q… (%d bytes)", s[:80], len(s))
	}
	return fmt.Sprintf("%+q", s)
}
