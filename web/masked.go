package web

import (
	"stream-api/store"
	"stream-api/stream"
)

// MaskStatus makes a whole picture fit to be shown, in place: passwords in
// URLs and variables masked, and nothing in it that moves a terminal.
func MaskStatus(s *stream.Status) { maskStatus(s) }

// MaskStream is MaskStatus for one stream.
func MaskStream(v *stream.StreamStatus) { maskStream(v) }

// MaskEvent is the event as it may be shown.
func MaskEvent(e store.Event) store.Event { return maskEvent(e) }

// MaskText is a text of strangers, such as a line of a log, as it may be shown.
func MaskText(s string) string { return shown(s) }
