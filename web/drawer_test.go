package web

import (
	"testing"

	"github.com/chromedp/chromedp"
)

func TestPanelShowsAndTakesBackAPin(t *testing.T) {
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 2})
	c.host("loop", offer{kind: "transcode", capacity: 2})
	c.appear("s1", nil, "transcode")
	c.run("s1", "transcode", "speedy", "")
	base, _, _ := serve(t, Options{Store: c.store, Mover: &mover{store: c.store}}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("it runs", cellSays("s1", "transcode", "speedy"))
	b.js(cell("s1", "transcode") + `.click()`)
	b.await("no pin is shown", `document.getElementById("drawer").open && !document.getElementById("drawer").textContent.includes("Pinned to")`)
	if b.text(`[...document.querySelectorAll("#drawer button")].filter((n) => !n.hidden).map((n) => n.textContent).join()`) != "Close,Restart,Move" {
		t.Error("there is something to take back, or nothing to do")
	}
	press(b, "#drawer", "Move")
	b.do(chromedp.SetValue("#confirm select", "loop"), chromedp.Click("#confirm input[type=checkbox]"))
	press(b, "#confirm", "Move")
	b.await("the pin is shown", `document.querySelector("#drawer dl").textContent.includes("Pinned toloop")`)
	b.await("the cell tells it", cell("s1", "transcode")+`.title.includes("pinned to loop")`)
	press(b, "#drawer", "Unpin")
	b.await("it asks", `document.getElementById("confirm").open`)
	press(b, "#confirm", "Unpin")
	b.await("the pin is gone", `!document.querySelector("#drawer dl").textContent.includes("Pinned to")`)
	if declared, err := c.store.Declared(c.ctx, "s1"); err != nil || len(declared.Overrides.Pins) != 0 {
		t.Errorf("overrides: %+v, %v", declared.Overrides, err)
	}
	b.quiet()
}

// Who copies an address out of the panel must not lose it to the next change.
func TestPanelKeepsFocusAndSelectionWhileItsStreamChanges(t *testing.T) {
	c := newCrew(t)
	c.host("speedy", offer{kind: "transcode", capacity: 2})
	c.appear("s1", nil, "transcode")
	v := c.run("s1", "transcode", "speedy", "")
	c.publish(v, map[string]string{"url": "https://live.example.org/s1", "z": "1"})
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	b.await("it runs", cellSays("s1", "transcode", "speedy"))
	b.js(cell("s1", "transcode") + `.click()`)
	b.await("the address is shown", `document.querySelector("#drawer a")`)
	b.js(`const a = document.querySelector("#drawer a"); a.focus(); getSelection().selectAllChildren(a)`)
	c.report(v, "", "", map[string]string{"speed": "1.01", "fps": "25.0"})
	c.publish(v, map[string]string{"url": "https://live.example.org/s1", "z": "2", "a": "0"})
	b.await("the speed and the variables are news", `(() => {
		const text = document.querySelector("#drawer .body").textContent;
		return text.includes("1.01") && text.includes("a0") && text.includes("z2");
	})()`)
	if got := b.text(`document.activeElement.href + " " + getSelection().toString()`); got != "https://live.example.org/s1 https://live.example.org/s1" {
		t.Errorf("focus and selection: %q", got)
	}
	if got := b.text(`[...document.querySelectorAll("#drawer .body dl:last-of-type dt")].map((n) => n.textContent).join()`); got != "a,url,z" {
		t.Errorf("variables in the order %s", got)
	}
	b.quiet()
}
