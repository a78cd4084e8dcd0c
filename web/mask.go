package web

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"stream-api/store"
	"stream-api/stream"
)

// shown makes a text of strangers fit to leave this process: secrets in
// URLs masked, and nothing in it that moves a terminal or reverses text.
func shown(s string) string {
	return printable(stream.MaskURLs(s))
}

// shownVar is what may be shown of a variable of that name.
func shownVar(name, value string) string {
	if value != "" && stream.SecretName(name) {
		return stream.Masked
	}
	return shown(value)
}

func printable(s string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n':
			b.WriteByte(' ')
		case !odd(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u{%x}`, r)
		}
	}
	return b.String()
}

func shownVars(vars map[string]string) map[string]string {
	out := make(map[string]string, len(vars))
	for name, value := range vars {
		out[printable(name)] = shownVar(name, value)
	}
	return out
}

// maskStream masks in place; the slices and maps of v are its own.
func maskStream(v *stream.StreamStatus) {
	v.Reason = shown(v.Reason)
	v.Vars = shownVars(v.Vars)
	for i := range v.Slots {
		s := &v.Slots[i]
		s.Reason, s.Exit = shown(s.Reason), shown(s.Exit)
		s.Speed, s.FPS, s.Pin = printable(s.Speed), printable(s.FPS), printable(s.Pin)
		s.Vars = shownVars(s.Vars)
		for j := range s.Stderr {
			s.Stderr[j] = shown(s.Stderr[j])
		}
	}
}

func maskHost(h *stream.HostStatus) {
	h.URL, h.Version = shown(h.URL), printable(h.Version)
	for i := range h.Services {
		s := &h.Services[i]
		s.URL, s.Filter, s.Problem = shown(s.URL), printable(s.Filter), shown(s.Problem)
	}
}

func maskSource(s *stream.SourceStatus) {
	s.Error, s.Example, s.Warning = shown(s.Error), shown(s.Example), shown(s.Warning)
}

func maskEvent(e store.Event) store.Event {
	e.Reason, e.Actor = shown(e.Reason), printable(e.Actor)
	e.Stream, e.Slot, e.Host = printable(e.Stream), printable(e.Slot), printable(e.Host)
	return e
}

// maskStatus masks a whole picture in place.
func maskStatus(s *stream.Status) {
	for i := range s.Streams {
		maskStream(&s.Streams[i])
	}
	for i := range s.Hosts {
		maskHost(&s.Hosts[i])
	}
	for i := range s.Sources {
		maskSource(&s.Sources[i])
	}
	for i := range s.Aside {
		k := &s.Aside[i]
		k.Key, k.Was, k.Should, k.Aside = shown(k.Key), shown(k.Was), shown(k.Should), shown(k.Aside)
	}
	for i := range s.Refused {
		v := &s.Refused[i]
		v.Host, v.What, v.Word, v.Answer, v.Do = printable(v.Host), printable(v.What), printable(v.Word), shown(v.Answer), shown(v.Do)
	}
	if s.Hold != nil {
		s.Hold.Reason = shown(s.Hold.Reason)
	}
}
