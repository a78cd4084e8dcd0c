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

// A slot keeps its state while its child is started again every 30 s.
func TestPageCountsWhatFailsAgainAndAgainAsNotRunning(t *testing.T) {
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", seats: 2})
	var slots []store.Reservation
	for _, key := range []string{"s1", "s2"} {
		c.appear(key, nil, "transcode")
		slots = append(slots, c.run(key, "transcode", "speedy", ""))
	}
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("all run", `document.getElementById("tile-slots").textContent.includes("2 / 2")`)
	c.report(slots[0], "exited", "exit 1", map[string]string{"reason": "exit 1; 7 times lately", "exit": "exit 1"})
	c.report(slots[1], "exited", "exit 1", map[string]string{"reason": "exit 1; its publisher is away, so this counts for nothing", "exit": "exit 1"})
	b.await("one does not", `document.getElementById("tile-slots").textContent.includes("1 / 21 does not run") && document.getElementById("tile-slots").dataset.level === "bad"`)
	b.await("it is the one that fails by itself", cell("s1", "transcode")+`.dataset.level === "bad" && `+cell("s2", "transcode")+`.dataset.level === "warn"`)
	c.report(slots[0], "", "", map[string]string{"reason": ""})
	b.await("all run again", `document.getElementById("tile-slots").textContent.includes("2 / 2")`)
	b.quiet()
}

func TestPageTakesAHostThatLeftForNoTrouble(t *testing.T) {
	c := newCrew(t)
	for _, name := range []string{"speedy", "loop", "mutter"} {
		c.host(name, offer{kind: "transcode", seats: 2})
	}
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("three are up", `document.querySelector("#tile-hosts strong").textContent === "3 / 3"`)
	c.leave("loop")
	b.await("one left", `document.querySelector('.host[data-host="loop"]').dataset.state === "left" && document.querySelector("#tile-hosts strong").textContent === "2 / 2"`)
	if got := b.text(attention); got != "" {
		t.Errorf("it needs attention: %s", got)
	}
	c.kill("mutter")
	b.await("one is down", `document.querySelector('.host[data-host="mutter"]').dataset.state === "down" && document.querySelector("#tile-hosts strong").textContent === "1 / 2"`)
	b.await("that needs attention", attention+`.startsWith("bad mutter is down")`)
	b.await("its slots are taken back", `document.querySelector('.host[data-host="mutter"] .lease').textContent === "no lease"`)
	if got := b.text(`document.querySelector('.host[data-host="mutter"]').dataset.state`); got != "down" {
		t.Errorf("who lapsed is shown as %s", got)
	}
	b.quiet()
}
