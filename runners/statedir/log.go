package statedir

import (
	"errors"
	"fmt"

	"stream-api/stream"
)

// ErrNoSlot: this host has no log of such a slot.
var ErrNoSlot = errors.New("this host has no log of this slot")

// LogDir is the directory for supervisor.ReadLog with the log of an instance, or of any of a slot: what it said
// under a token, or with an empty one what it said last. The runner of the state
// directory need not live. Error: ErrNoSlot.
func LogDir(path, key, instance, token string) (string, error) {
	d := &Dir{path: path}
	all, _, err := d.Memos()
	if err != nil {
		return "", fmt.Errorf("log of %s/%s: %w", key, instance, err)
	}
	for _, m := range all {
		own := stream.SlotOf(m.Reservation.Instance)
		if token != "" && m.Reservation.Token != token {
			continue
		}
		if m.Reservation.Key == key && (m.Reservation.Instance == instance || own == instance) && !m.Static {
			return d.Slot(m.Reservation.Token), nil
		}
	}
	return "", fmt.Errorf("%s/%s: %w", key, instance, ErrNoSlot)
}
