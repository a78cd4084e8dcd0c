package main

import (
	"fmt"
	"time"
)

// clock is a time of the store's on this machine's clock, for people: of another day with its date.
func clock(ms int64) string {
	t := time.UnixMilli(ms)
	if time.Since(t) > 20*time.Hour {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("15:04:05")
}

// ago writes how long before now (both server ms) something was.
func ago(now, then int64) string {
	if then == 0 {
		return "never"
	}
	return span(time.Duration(now-then) * time.Millisecond)
}

// span writes a time in its two largest units, from two days on in days.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// lasted is a span of ms, a short one to the tenth of a second.
func lasted(ms int64) string {
	d := time.Duration(max(ms, 0)) * time.Millisecond
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return span(d)
}
