package web

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"stream-api/internal/realtest"
)

// browser is a headless Chromium with one page.
type browser struct {
	t   testing.TB
	ctx context.Context
	// complaints are errors that the page wrote to its console.
	complaints chan string
}

func newBrowser(t testing.TB, width, height int) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("STREAM_API_TEST_REQUIRE") != "" {
			t.Fatalf("chromium is not installed, and this test needs it: apt-get install chromium (%v)", err)
		}
		t.Skip("chromium is not installed: apt-get install chromium")
	}
	dir, err := os.MkdirTemp("", "web-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	alloc, end := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.UserDataDir(dir), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.WindowSize(width, height))
	ctx, cancel := chromedp.NewContext(alloc)
	b := &browser{t: t, ctx: ctx, complaints: make(chan string, 100)}
	listened := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		end() // waits for the browser's end
		<-listened
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("remove %s: %v", dir, err)
		}
	})
	// The first run starts the browser, which lives as long as its context:
	// that must be the browser's own and not one with a limit.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), int64(height))); err != nil {
		close(listened)
		t.Fatal(err)
	}
	go func() {
		defer close(listened)
		b.listen()
	}()
	return b
}

// listen keeps what the page complains of until the browser ends.
func (b *browser) listen() {
	for m, err := range chromedp.Console(b.ctx) {
		if err != nil {
			return
		}
		if m.Type != chromedp.ConsoleException && m.Type != "error" {
			continue
		}
		select {
		case b.complaints <- m.Text:
		default:
		}
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// js runs a statement in the page.
func (b *browser) js(statement string) {
	b.t.Helper()
	b.eval("(() => { "+statement+"; return true; })()", new(bool))
}

// eval evaluates a JavaScript expression.
func (b *browser) eval(expression string, into any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("(async () => JSON.stringify(await ("+expression+")))()", chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

func (b *browser) text(expression string) (s string) {
	b.t.Helper()
	b.eval(expression, &s)
	return s
}

// patience is how long the page is waited for. How late it is in truth, a second
// at most, is measured (TestPageUnderLoad): here the machine may be a slow one.
const patience = 2 * time.Minute

// await waits until the expression is true in the page and returns how long
// that took; it looks once a frame.
func (b *browser) await(what, expression string) time.Duration {
	b.t.Helper()
	started := time.Now()
	var ok bool
	b.eval(fmt.Sprintf(`new Promise((done) => {
		const end = performance.now() + %d;
		const look = () => {
			let yes = false;
			try { yes = Boolean(%s); } catch { /* not there yet */ }
			if (yes) done(true);
			else if (performance.now() > end) done(false);
			else requestAnimationFrame(look);
		};
		look();
	})`, patience.Milliseconds(), expression), &ok)
	took := time.Since(started)
	if !ok {
		b.t.Fatalf("after %v the page does not show that %s (%s); it shows: %.3000s", patience, what, expression, b.text("document.body.innerText"))
	}
	b.t.Logf("%s: %v", what, took.Round(time.Millisecond))
	return took
}

// arrives waits until the expression is true in whatever page the browser goes
// to; await's own page must stay.
func (b *browser) arrives(what, expression string) {
	b.t.Helper()
	realtest.Await(b.t, patience, "the browser does not arrive where "+what, func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		defer cancel()
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && Boolean("+expression+")"))
		return err == nil && yes
	})
}

// quiet fails the test if the page complained.
func (b *browser) quiet() {
	b.t.Helper()
	for {
		select {
		case text := <-b.complaints:
			b.t.Errorf("the page's console: %s", text)
		default:
			return
		}
	}
}

// Expressions on the page.
func cell(key, slot string) string {
	return fmt.Sprintf(`document.querySelector('.row[data-key="%s"] [data-slot="%s"]')`, key, slot)
}

func cellSays(key, slot, text string) string {
	return fmt.Sprintf(`%s.textContent.includes(%q)`, cell(key, slot), text)
}
