package sources

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"stream-api/internal/regular"
	"stream-api/store"
)

// rulesMemory is what a host keeps of a source's rules over its restarts: those in force when it last asked, for a store
// that loses them, and which were in force when its own file last said the same, as only a file that was made from the
// present rules may replace them.
type rulesMemory struct {
	InForce store.Ruling `json:"in_force"`
	Agreed  agreement    `json:"agreed"`
}

type agreement struct {
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
}

const (
	// maxMemory bounds the file of one source, in bytes.
	maxMemory = 64 << 20
	// diskPatience is how long a disk may take; polling goes on without it.
	diskPatience = 5 * time.Second
)

// Memory keeps what a host remembers of the rules of its sources, a file for each in a directory that it makes. A nil one
// remembers nothing.
type Memory struct{ dir string }

// MemoryIn is the memory below a state directory.
func MemoryIn(stateDir string) *Memory { return &Memory{filepath.Join(stateDir, "rules")} }

func (m *Memory) path(source string) string { return filepath.Join(m.dir, source+".json") }

// load reads what is remembered; what is not there is nothing.
func (m *Memory) load(source string) (rulesMemory, error) {
	if m == nil {
		return rulesMemory{}, nil
	}
	text, err := regular.Within(diskPatience, m.path(source), func() ([]byte, error) { return regular.Read(m.path(source), maxMemory) }, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return rulesMemory{}, nil
	}
	if err != nil {
		return rulesMemory{}, fmt.Errorf("the remembered rules of %s: %w", source, err)
	}
	var out rulesMemory
	if err := json.Unmarshal(text, &out); err != nil {
		return rulesMemory{}, fmt.Errorf("the remembered rules in %s: %w", m.path(source), err)
	}
	if in := out.InForce; in.Version != 0 && (in.Version < 0 || RulesDigest(in.Text) != in.Digest) {
		return rulesMemory{}, fmt.Errorf("the remembered rules in %s are not as they were written", m.path(source))
	}
	return out, nil
}

// save writes it down so that it outlives a crash of the machine: an outage that takes the store's data takes the power
// of its hosts, too, as a rule.
func (m *Memory) save(source string, what rulesMemory) error {
	if m == nil {
		return nil
	}
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = regular.Within(diskPatience, m.path(source), func() (struct{}, error) {
		if err := os.MkdirAll(m.dir, 0o700); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, regular.Keep(m.path(source), text, 0o600)
	}, nil)
	return err
}
