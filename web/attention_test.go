package web

import (
	"strings"
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

// A host whose file is older announces by what is in force, and somebody has to know.
func TestPageTellsWhoseFileDiffers(t *testing.T) {
	c := newCrew(t)
	info := store.SourceInfo{Type: "icecast"}
	c.poll("ingest", info)
	offer := func(o store.RulesOffer, want string) store.Ruling {
		o.Source, o.Info, o.Digest = "ingest", info, "d"+o.Text
		a, err := c.store.OfferRules(t.Context(), o)
		if err != nil || a.Word != want {
			t.Fatalf("%s: %+v, %v; want %s", o.Host, a, err, want)
		}
		return a.InForce
	}
	offer(store.RulesOffer{Host: "ber", Text: "new"}, store.RulesWon)
	force := offer(store.RulesOffer{Host: "ham", Text: "old"}, store.RulesStale)
	offer(store.RulesOffer{Host: "ham", Text: "old", Remembered: force, What: "record goes"}, store.RulesDiffer)
	offer(store.RulesOffer{Host: "dus", Text: "old", Remembered: force, Refused: "another ingest has the name"}, store.RulesDiffer)
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	for _, line := range []string{
		`bad dus announces nothing of ingest: another ingest has the name`,
		`warn The file of ham differs from the rules of ingest: record goes; in force is v1 of ber. stream-api sources diff ingest ham`,
	} {
		b.await(line, attention+`.includes("`+line+`")`)
	}
	b.await("its card says what is in force", `document.querySelector(".source .facts").textContent.includes("rules v1 of ber")`)
	offer(store.RulesOffer{Host: "ham", Text: "new", Remembered: force}, store.RulesAgree)
	b.await("nothing is left of ham", `!`+attention+`.includes("ham")`)
	b.quiet()
}

// A slot keeps its state while its child is started again every 30 s.
func TestPageCountsWhatFailsAgainAndAgainAsNotRunning(t *testing.T) {
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 2})
	var reservations []store.Reservation
	for _, key := range []string{"s1", "s2"} {
		c.appear(key, nil, "transcode")
		reservations = append(reservations, c.run(key, "transcode", "speedy", ""))
	}
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("all run", `document.getElementById("tile-slots").textContent.includes("2 / 2")`)
	c.report(reservations[0], "exited", "exit 1", map[string]string{"reason": `exited {"exit":"exit 1","times":"7"}`, "exit": "exit 1"})
	c.report(reservations[1], "exited", "exit 1", map[string]string{"reason": `exited-away {"exit":"exit 1"}`, "exit": "exit 1"})
	b.await("one does not", `document.getElementById("tile-slots").textContent.includes("1 / 21 does not run") && document.getElementById("tile-slots").dataset.level === "bad"`)
	b.await("it is the one that fails by itself", cell("s1", "transcode")+`.dataset.level === "bad" && `+cell("s2", "transcode")+`.dataset.level === "warn"`)
	c.report(reservations[0], "start-failed", "no such value", map[string]string{"reason": `cannot-start {"error":"no such value"}`, "exit": ""})
	b.await("one still does not", `document.getElementById("attention").textContent.includes("cannot start") && document.getElementById("tile-slots").dataset.level === "bad"`)
	c.report(reservations[0], "", "", map[string]string{"reason": `not-moved {"cause":"no-room"}`})
	b.await("all run again", `document.getElementById("tile-slots").textContent.includes("2 / 2")`)
	c.report(reservations[1], "", "", map[string]string{"phase": "failing", "reason": ""})
	b.await("a phase says so without words", `document.getElementById("tile-slots").textContent.includes("1 / 2") && `+cell("s2", "transcode")+`.dataset.level === "bad" && `+cell("s2", "transcode")+`.textContent.includes("fails on speedy")`)
	c.report(reservations[1], "", "", map[string]string{"phase": "starting"})
	b.await("what starts is on its way", cell("s2", "transcode")+`.dataset.level === "info" && `+cell("s2", "transcode")+`.textContent.includes("starts on speedy")`)
	b.quiet()
}

func TestPageTakesAHostThatLeftForNoTrouble(t *testing.T) {
	c := newCrew(t)
	for _, name := range []string{"speedy", "loop", "mutter"} {
		c.host(name, offer{kind: "transcode", capacity: 2})
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

// One stream whose first slot waits has all its slots waiting.
func TestPagePutsAlikeTroubleTogetherAndTheOldestFirst(t *testing.T) {
	c := newCrew(t)
	chain := []string{"dist", "transcode", "record"}
	for _, key := range []string{"s2", "s1", "s3"} {
		c.appear(key, nil, chain...)
		c.nextMoment()
	}
	c.note("s2", "transcode", `no-offer {"type":"transcode"}`)
	c.note("s2", "record", `needs {"needs":"transcode:url"}`)
	c.note("s1", "dist", `full {"full":"2/2, 2/2","services":"2","type":"dist"}`)
	c.note("s3", "dist", `full {"full":"2/2, 2/2","services":"2","type":"dist"}`)
	c.poll("ingest", store.SourceInfo{Type: "icecast", Expect: []string{"s8", "s9"}})
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("all wait", `document.querySelectorAll(".rows .row").length === 5`)
	const want = `warn dist, transcode, record of s2: pending: nobody offers transcode
warn dist, transcode, record of s1, s3: pending: all 2 dist services that match are full: 2/2, 2/2
warn s8, s9 are missing: source ingest expects them and nobody publishes them`
	if got := b.text(attention); got != want {
		t.Errorf("needs attention:\n%s\nwant:\n%s", got, want)
	}
	b.quiet()
}

func TestPageIsNoWiderThanTheScreenAndTellsHostsApart(t *testing.T) {
	c := newCrew(t)
	label := strings.Repeat("encoderwithoutend", 4)[:63]
	long := label + "." + label + ".c3voc.org"
	if len(long) != 137 {
		t.Fatalf("%s has %d characters", long, len(long))
	}
	for _, name := range []string{"encoder00.lan.c3voc.de", "encoder01.lan.c3voc.de", "encoder01.example.org", "10.0.0.7", long} {
		c.host(name, offer{kind: "fanout_thumbnail", capacity: 2, filter: "^" + label})
	}
	c.appear("s1", nil, "fanout_thumbnail")
	c.appear("s2", nil, "fanout_thumbnail")
	c.run("s1", "fanout_thumbnail", long, "^"+label)
	c.run("s2", "fanout_thumbnail", "encoder00.lan.c3voc.de", "^"+label)
	base, _, _ := serve(t, Options{Store: c.store, Mover: &mover{store: c.store}}, "")
	for _, width := range []int{1366, 390} {
		b := newBrowser(t, width, 800)
		b.do(chromedp.Navigate(base + "/"))
		b.await("they run", cellSays("s1", "fanout_thumbnail", label)+" && "+cellSays("s2", "fanout_thumbnail", "encoder00"))
		if got := b.text(`[...document.querySelectorAll(".host h3")].map((n) => n.textContent).join()`); got != "10.0.0.7,encoder00,encoder01.example.org,encoder01.lan.c3voc.de,"+label {
			t.Errorf("hosts are called %s", got)
		}
		b.js(cell("s2", "fanout_thumbnail") + `.click()`)
		press(b, "#drawer", "Move")
		b.await("hosts are offered", `document.querySelector("#confirm select").options.length === 5`)
		var wide []string
		b.eval(`[document.documentElement, document.getElementById("confirm"), document.getElementById("drawer")].filter((n) => n.scrollWidth > n.clientWidth).map((n) => n.id || "page")`, &wide)
		if len(wide) > 0 {
			t.Errorf("at %d pixels these are wider than the screen: %v", width, wide)
		}
		b.quiet()
	}
}
