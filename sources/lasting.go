package sources

import "time"

// warningKept is how long something to be mended is shown after it was last
// seen. Some faults hold in one poll of many, and a warning that flickers is
// read by nobody.
const warningKept = 5 * time.Minute

// told is what was said, and when it was last true.
type told map[string]time.Time

// first tells whether something true now was not so for warningKept, so that
// it is worth a line.
func (t told) first(now time.Time, what string) bool {
	for other, at := range t {
		if now.Sub(at) > warningKept {
			delete(t, other)
		}
	}
	_, known := t[what]
	t[what] = now
	return !known
}

// lasting is the warning of a source that stays for a while.
type lasting struct {
	text string
	at   time.Time
}

// note takes the warning of one poll, empty for none, and returns that to show.
func (w *lasting) note(now time.Time, text string) string {
	switch {
	case text != "":
		w.text, w.at = text, now
	case now.Sub(w.at) > warningKept:
		w.text = ""
	}
	return w.text
}
