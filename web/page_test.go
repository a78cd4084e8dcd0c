package web

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"stream-api/internal/realtest"
	"stream-api/store"
	"stream-api/stream"
)

func TestPageFollowsALifeOfAStream(t *testing.T) {
	c := newCrew(t)
	for _, name := range []string{"speedy.lan", "loop.lan", "mutter.lan"} {
		c.host(name, offer{kind: "dist", capacity: -1}, offer{kind: "transcode", capacity: 2})
	}
	c.poll("ingest", store.SourceInfo{Type: "icecast", URL: "http://ingest:8000", Expect: []string{"s1", "s2"}})
	m := &mover{}
	base, _, _ := serve(t, Options{Store: c.store, Mover: m}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("it is live", `document.getElementById("live").dataset.state === "live" && document.querySelectorAll(".host").length === 3`)
	b.await("s1 and s2 are missing", `document.querySelectorAll(".row[data-missing]").length === 2`)
	b.js(`document.body.dataset.same = "yes"`) // a reload would lose it

	c.appear("s1", nil, "dist", "transcode")
	b.await("s1 appeared", cellSays("s1", "transcode", "pending"))
	c.note("s1", "transcode", `needs {"needs":"dist:url"}`)
	b.await("the reason is told", cellSays("s1", "transcode", "waits for dist:url"))
	dist := c.run("s1", "dist", "speedy.lan", "")
	b.await("dist runs", cellSays("s1", "dist", "speedy"))
	c.publish(dist, map[string]string{"url": "http://live.example.org:7999"})
	c.run("s1", "transcode", "speedy.lan", "")
	b.await("transcode runs", cellSays("s1", "transcode", "speedy")+` && document.querySelector("#tile-slots strong").textContent === "2 / 2"`)
	b.await("speedy's bar has grown", `document.querySelector('[data-host="speedy.lan"]').textContent.includes("1 / 2")`)
	if said := b.text(`document.getElementById("tile-headroom").textContent`); !strings.Contains(said, "yes") {
		t.Errorf("headroom says %q", said)
	}

	// Its host dies.
	c.kill("speedy.lan")
	awaitEvent(t, c, "reaped", "transcode")
	b.await("the slots are in line again", cellSays("s1", "transcode", "pending")+" && "+cellSays("s1", "dist", "pending"))
	b.await("speedy is down", `document.querySelector('[data-host="speedy.lan"]').dataset.state === "down"`)
	c.run("s1", "dist", "loop.lan", "")
	v := c.run("s1", "transcode", "loop.lan", "")
	b.await("they run on loop", cellSays("s1", "transcode", "loop")+" && "+cellSays("s1", "dist", "loop"))

	// It moves by an operator's word.
	m.do = func(_, _, to string) {
		c.release(v, "moved")
		v = c.run("s1", "transcode", to, "")
	}
	b.js(cell("s1", "transcode") + `.click()`)
	b.await("the panel opens", `document.getElementById("drawer").open && document.getElementById("drawer").textContent.includes("s1 · transcode")`)
	press(b, "#drawer", "Move")
	b.await("the hosts are offered", `document.querySelector("#confirm select").options.length === 2`)
	b.do(chromedp.SetValue("#confirm select", "mutter.lan"))
	press(b, "#confirm", "Move")
	b.await("it moved", cellSays("s1", "transcode", "mutter")+` && !document.getElementById("confirm").open`)
	if !m.has("move s1 transcode mutter.lan") {
		t.Errorf("the mover was asked %v", m.asked)
	}
	b.js(`document.getElementById("drawer").close()`)

	c.report(v, "crashed", "exit 1", map[string]string{"reason": `exited {"exit":"exit 1","times":"3"}`, "exit": "exit 1", "stderr": "no such device", "restarts": "3"})
	b.await("the crash is told", cellSays("s1", "transcode", "↻ 3")+` && document.getElementById("attention").textContent.includes("exit 1; 3 times lately")`)
	b.js(cell("s1", "transcode") + `.click()`)
	b.await("its last words are shown", `document.querySelector("#drawer .stderr").textContent === "no such device"`)
	b.js(`document.getElementById("drawer").close()`)

	c.release(v, "moved again") // what moved by hand is this test's own
	c.run("s1", "transcode", "loop.lan", "")
	c.end("s1")
	b.await("s1 is gone", `document.querySelector('.row[data-key="s1"]').hasAttribute("data-missing")`)
	b.await("the feed tells it", `[...document.querySelectorAll("#feed-list li .what")].slice(0, 8).some((n) => n.textContent === "gone")`)
	if b.text(`document.body.dataset.same || "no"`) != "yes" {
		t.Error("the page was loaded anew")
	}
	b.quiet()
}

// awaitEvent waits for an event on a slot in the feed.
func awaitEvent(t *testing.T, c *crew, event, slot string) {
	t.Helper()
	realtest.Await(t, 15*time.Second, "no event "+event, func() bool {
		events, err := c.store.LastEvents(c.ctx, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Event == event && e.Slot == slot {
				return true
			}
		}
		return false
	})
}

// press presses the button of that word.
func press(b *browser, within, word string) {
	b.t.Helper()
	var found bool
	b.eval(`(() => {
		const button = [...document.querySelectorAll("`+within+` button")].find((n) => n.textContent === "`+word+`" && !n.closest("[hidden]"));
		button?.click();
		return Boolean(button);
	})()`, &found)
	if !found {
		b.t.Fatalf("no button %s in %s", word, within)
	}
}

func TestPageFiltersAndActs(t *testing.T) {
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 2}, offer{kind: "source", capacity: -1})
	for _, key := range []string{"s1", "s2", "q1", "lecture/hall-7"} {
		c.appear(key, nil, "transcode")
	}
	c.appear("other", nil, "record", "transcode")
	c.appear("backwards", nil, "transcode", "record")
	c.run("s1", "transcode", "speedy", "")
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("all are shown", `document.querySelectorAll(".rows .row").length === 6`)
	b.await("chains that contradict have tables of their own", `document.querySelectorAll(".table").length === 2`)

	b.do(chromedp.KeyEvent("/"), chromedp.SendKeys("#filter", "hall"))
	b.await("one is left", `[...document.querySelectorAll(".rows .row")].map((r) => r.dataset.key).join() === "lecture/hall-7"`)
	b.do(chromedp.SendKeys("#filter", kb.Escape))
	b.do(chromedp.Click("#troubled"))
	b.await("what runs is hidden", `document.querySelectorAll(".rows .row").length === 5 && !`+`document.querySelector('.row[data-key="s1"]')`)
	b.do(chromedp.Click("#troubled"))
	b.await("all are back", `document.querySelectorAll(".rows .row").length === 6`)

	// Keyboard: one stop, arrows inside, Enter opens, Escape closes.
	b.js(`document.querySelector(".rows .cell[tabindex='0']").focus()`)
	b.do(chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.End))
	if tag := b.text(`document.activeElement.dataset.slot || document.activeElement.outerHTML`); tag != "transcode" {
		t.Errorf("the arrows lead to %s", tag)
	}
	b.do(chromedp.KeyEvent(kb.Enter))
	b.await("Enter opens the panel", `document.getElementById("drawer").open`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.await("Escape closes it", `!document.getElementById("drawer").open`)
	var stops int
	b.eval(`document.querySelectorAll(".rows .cell[tabindex='0']").length`, &stops)
	if stops != 1 {
		t.Errorf("%d cells take part in tabbing; want one", stops)
	}

	press(b, ".host", "Drain")
	b.await("it asks", `document.getElementById("confirm").open && document.getElementById("confirm").textContent.includes("hands over its 1 slot")`)
	press(b, "#confirm", "Cancel")
	press(b, ".host", "Cordon")
	press(b, "#confirm", "Cordon")
	b.await("it is cordoned", `document.querySelector(".host").dataset.state === "cordoned"`)
	press(b, ".host", "Uncordon")
	press(b, "#confirm", "Uncordon")
	b.await("it is up", `document.querySelector(".host").dataset.state === "up"`)
	if got := b.text(`[...document.querySelectorAll(".host .services > *")].map((n) => n.tagName + " " + n.querySelector(".type").textContent).sort().join()`); got != "BUTTON transcode,DIV source" {
		t.Errorf("services that can be changed: %s", got)
	}
	b.do(chromedp.Click(".host button.bar"), chromedp.SetValue("#confirm input", "9"))
	press(b, "#confirm", "Set")
	b.await("its capacity is 9", `document.querySelector(".host button.bar .number").textContent === "1 / 9"`)

	b.js(`document.querySelector('.row[data-key="q1"] .stream').click()`)
	b.await("the stream's panel opens", `document.getElementById("drawer").open`)
	press(b, "#drawer", "Hold")
	press(b, "#confirm", "Hold")
	b.await("the word is said", `document.getElementById("toast").textContent.includes("q1 is held")`)
	declared, err := c.store.Declared(c.ctx, "q1")
	if err != nil || !declared.Overrides.Held {
		t.Errorf("q1: %+v, %v; want it held", declared.Overrides, err)
	}
	b.quiet()
}

func TestPageComesBackAfterTheServerRestarts(t *testing.T) {
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 2})
	c.appear("s1", nil, "transcode")
	base, _, stop := serve(t, Options{Store: c.store, Version: "1"}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("it is live", `document.getElementById("live").dataset.state === "live" && `+cellSays("s1", "transcode", "pending"))
	stop()
	b.await("it says that it lost the server", `!document.getElementById("banner").hidden && document.getElementById("banner").textContent.includes("does not answer")`)
	c.run("s1", "transcode", "speedy", "")
	c.appear("s2", nil, "transcode")
	_, _, _ = serve(t, Options{Store: c.store, Version: "2"}, strings.TrimPrefix(base, "http://"))
	b.await("it is live again and right", `document.getElementById("live").dataset.state === "live" && `+cellSays("s1", "transcode", "speedy")+` && `+cellSays("s2", "transcode", "pending"))
	b.await("it asks to be reloaded for the new version", `document.getElementById("banner").textContent.includes("Reload")`)
	b.await("the feed has no event twice", `(() => {
		const ids = [...document.querySelectorAll("#feed-list li")].map((li) => li.dataset.id);
		return ids.length > 3 && new Set(ids).size === ids.length;
	})()`)
	c.kill("speedy") // it would complain
	c.redis.Kill()
	b.await("it says that the store is away", `document.getElementById("banner").textContent.includes("cannot read the store")`)
}

func TestStrangersTextIsOnlyText(t *testing.T) {
	c := newCrew(t)
	const evil = `<img src=x onerror="document.body.dataset.owned='yes'"><script>document.body.dataset.owned='yes'</script>`
	c.host("speedy", offer{kind: "transcode", capacity: 2})
	c.appear("s1", map[string]string{"title": evil, "link": `javascript:document.body.dataset.owned="yes"`, "page": `http://x/"onmouseover="document.body.dataset.owned='yes'`}, "transcode")
	v := c.run("s1", "transcode", "speedy", "")
	c.publish(v, map[string]string{"url": "https://ok.example.org/" + "x", "note": evil})
	c.report(v, "crashed", evil, map[string]string{"reason": evil, "exit": evil, "stderr": evil, "speed": evil, "fps": evil})
	c.poll("ingest", store.SourceInfo{Type: "icecast", Refused: 1, Example: evil})
	base, _, _ := serve(t, Options{Store: c.store, Logs: evilLog(evil)}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("the text is shown as text", `document.getElementById("attention").textContent.includes("<img src=x")`)
	b.js(cell("s1", "transcode") + `.click()`)
	b.await("the log is shown as text", `document.querySelector("#drawer .log").textContent.includes("<script>")`)
	b.await("only a web address is a link", `[...document.querySelectorAll("#drawer a")].map((a) => a.href).join() === "https://ok.example.org/x"`)
	b.js(`document.getElementById("drawer").close(); document.querySelector('.row[data-key="s1"] .stream').click()`)
	b.await("the variables are shown as text", `document.getElementById("drawer").textContent.includes("<img src=x")`)
	var owned bool
	b.eval(`Boolean(document.body.dataset.owned) || document.querySelectorAll("img:not([src^='assets/'])").length > 0 || [...document.querySelectorAll("a")].some((a) => a.protocol === "javascript:")`, &owned)
	if owned {
		t.Error("text of a stranger became part of the page")
	}
	b.quiet()
}

// TestPageWorksBelowAPathOfAProxy asks for the page as a browser does through a
// proxy that takes /streams/ off.
func TestPageWorksBelowAPathOfAProxy(t *testing.T) {
	c := newCrew(t)
	c.host("speedy.lan", offer{kind: "dist", capacity: 2}, offer{kind: stream.SourceType, capacity: -1})
	c.appear("s1", nil, "dist")
	c.run("s1", "dist", "speedy.lan", "")
	token := testToken
	base, _, _ := serve(t, Options{Store: c.store, Token: token, Logs: ffmpegLog, Monitor: http.NotFoundHandler(), Mover: &mover{}}, "")
	behind, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Host = r.In.Host
	}}
	mux := http.NewServeMux()
	mux.Handle("/streams/", http.StripPrefix("/streams", forward))
	proxy := httptest.NewServer(mux)
	defer proxy.Close()
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(proxy.URL + "/streams/"))
	b.arrives("the login is asked for", `location.pathname === "/streams/login" && document.querySelector("#token")`)
	b.await("it has its colours", `getComputedStyle(document.body).display === "grid" && document.querySelector("img").naturalWidth > 0`)
	b.do(chromedp.SetValue("#token", "a wrong token"))
	b.js(`document.querySelector("form button").click()`)
	b.arrives("it is refused", `location.pathname === "/streams/login" && document.querySelector(".problem")`)
	b.do(chromedp.SetValue("#token", token))
	b.js(`document.querySelector("form button").click()`)
	b.arrives("it is live", `location.pathname === "/streams/" && document.getElementById("live").dataset.state === "live"`)
	b.await("s1 runs", cellSays("s1", "dist", "speedy"))
	if b.text(`String(document.getElementById("asynqmon").hidden)`) != "true" {
		t.Error("asynqmon is offered, whose own links lead out of the path")
	}
	if said := b.text(`document.querySelector('[data-host="speedy.lan"] .services').innerText`); !strings.Contains(said, "polls") || strings.Contains(said, "∞") {
		t.Errorf("of what the host polls its card says %q", said)
	}
	b.js(cell("s1", "dist") + `.click()`)
	b.await("the log is read", `document.querySelectorAll("#drawer .logline").length > 3`)
	press(b, "#drawer", "Restart")
	press(b, "#confirm", "Restart")
	b.await("it was restarted", `!document.getElementById("confirm").open`)
	b.js(`document.querySelector("#logout button").click()`)
	b.arrives("the login is asked for again", `location.pathname === "/streams/login"`)
	b.quiet()
}
