package web

import (
	"testing"

	"github.com/chromedp/chromedp"

	"stream-api/store"
)

// attention is what the page says needs somebody, a line each.
const attention = `[...document.querySelectorAll("#attention-list li")].map((n) => n.dataset.level + " " + n.querySelector(".what").textContent + ": " + n.querySelector(".why").textContent).join("\n")`

func TestPageTellsWhatASourceComplainsOf(t *testing.T) {
	c := newCrew(t)
	c.poll("ingest", store.SourceInfo{Type: "icecast", Stalled: []string{"s1", "s2"}, Refused: 3, Example: "../x: no key", Warning: "http://admin:hush@ingest refuses the password"})
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	for _, line := range []string{
		`bad s1, s2 of ingest stand still: listed`,
		`warn Source ingest: http://admin:***@ingest refuses the password`,
		`warn 3 mounts of ingest refused: such as ../x: no key`,
	} {
		b.await(line, attention+`.includes("`+line+`")`)
	}
	b.await("its card warns", `document.querySelector(".source .warning").textContent.includes("refuses the password")`)
	b.quiet()
}
