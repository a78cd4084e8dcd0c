package store

import (
	"context"
	"fmt"

	"stream-api/stream"
)

// Alter replaces text of a loaded script, so that a test can take a guard out
// and see that it is missed. The text must be there exactly once.
func Alter(s *Store, script, old, new string) error {
	v, ok := s.scripts[script]
	if !ok {
		return fmt.Errorf("no script %q", script)
	}
	v, err := v.Altered(old, new)
	if err != nil {
		return err
	}
	s.scripts[script] = v
	return nil
}

// ShareScripts gives one store the scripts of another, altered ones too.
func ShareScripts(to, from *Store) { to.scripts = from.scripts }

// ScriptTexts gives the expanded text of every script by name.
func ScriptTexts(s *Store) map[string]string {
	texts := make(map[string]string, len(s.scripts))
	for name, v := range s.scripts {
		texts[name] = v.Text
	}
	return texts
}

// ScriptSHA names a script as EVALSHA does.
func ScriptSHA(s *Store, script string) string { return s.scripts[script].SHA }

// SetAside sets one key aside, if it is not of the type it should be.
func SetAside(ctx context.Context, s *Store, key, should string) error {
	_, err := s.setAside(ctx, stream.OddKey{Key: key, Should: should})
	return err
}

// Restore makes the announcements of a source anew, if a hand broke their key.
func Restore(ctx context.Context, s *Store, source string) error {
	_, err := s.restore(ctx, source)
	return err
}

// CountedReplicas is how many replicas a claim waits for.
func CountedReplicas(s *Store) int {
	s.replicas.mu.Lock()
	defer s.replicas.mu.Unlock()
	return s.replicas.n
}

// TellRefusal leaves word that a script was refused.
func TellRefusal(s *Store, script string, err error) { s.tellRefusal(script, err) }

// SweepAside forgets what was set aside and is no more.
func SweepAside(ctx context.Context, s *Store) error { return s.sweepAside(ctx) }

// HeldAsRead is what a user is told of a hold who may run no script.
func HeldAsRead(ctx context.Context, s *Store, now int64) (*stream.HoldStatus, error) {
	return s.heldAsRead(ctx, now)
}
