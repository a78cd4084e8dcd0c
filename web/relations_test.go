package web

import (
	"testing"

	"github.com/chromedp/chromedp"

	"stream-api/stream"
)

// Copies share a cell, which is degraded while some of them run; what would have no place again says so.
func TestPageShowsCopiesAndWhatIsFragile(t *testing.T) {
	c := newCrew(t)
	c.host("ham", offer{kind: "enc", capacity: 2}, offer{kind: "hls", capacity: 2})
	c.host("ber", offer{kind: "enc", capacity: 2})
	c.relate("s1", stream.Items{"enc": {Copies: 2, Apart: stream.ApartHost}}, "enc", "hls")
	c.runInstance("s1", "enc.1", "enc", "ham", "")
	second := c.runInstance("s1", "enc.2", "enc", "ber", "")
	c.run("s1", "hls", "ham", "")
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	tile := `document.getElementById("tile-slots")`
	b.await("both run", cellSays("s1", "enc", "2/2")+` && `+cell("s1", "enc")+`.dataset.level === "ok" && `+tile+`.textContent.includes("2 / 2")`)
	b.await("the pair survives", `document.getElementById("tile-headroom").dataset.level === "warn" && document.getElementById("tile-headroom").textContent.includes("hls of s1 would be down with ham")`)

	c.host("ham", offer{kind: "enc", capacity: 2}, offer{kind: "hls", filter: "^x", capacity: 2}) // its file says less now
	b.await("hls is fragile", cellSays("s1", "hls", "fragile")+` && `+cell("s1", "hls")+`.title.includes("would have no place again: the filter of the only hls service")`)
	b.await("somebody is told", attention+`.includes("warn hls of s1: fragile: it runs, and would have no place again")`)

	c.release(second, `host-down {"host":"ber"}`)
	b.await("one copy is left", cellSays("s1", "enc", "1/2")+` && `+cellSays("s1", "enc", "enc.2: pending")+` && `+cell("s1", "enc")+`.dataset.level === "warn"`)
	b.await("the slot is degraded, and not down", tile+`.textContent.includes("2 / 21 degraded, 1 fragile") && `+tile+`.dataset.level === "warn"`)
	b.await("somebody is told of both", attention+`.includes("enc, hls of s1: degraded: 1 of 2 run; enc.2 pending: host ber is down; hls fragile: it runs")`)
	b.js(cell("s1", "enc") + `.click()`)
	b.await("the panel tells of the copies", `document.getElementById("drawer").textContent.includes("1 of 2 run") && document.getElementById("drawer").textContent.includes("copies never share a host")`)
	b.quiet()
}
