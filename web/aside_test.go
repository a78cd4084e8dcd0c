package web

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPageTellsOfAKeyThatAHandMadeAnotherType until what it held is deleted.
func TestPageTellsOfAKeyThatAHandMadeAnotherType(t *testing.T) {
	c := newCrew(t)
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.store.Client().Set(ctx, "moves", "x", 0).Err())
	if n, err := c.store.PutAside(ctx); err != nil || n != 1 {
		t.Fatalf("%d set aside, %v", n, err)
	}
	base, _, _ := serve(t, Options{Store: c.store}, "")
	b := newBrowser(t, 1440, 900)
	b.do(chromedp.Navigate(base + "/"))
	line := "warn Key moves was a string and no hash"
	b.await(line, attention+`.includes("`+line+`")`)
	must(c.store.Client().Del(ctx, "aside:moves").Err())
	b.await("it is over", `!`+attention+`.includes("`+line+`")`)
	b.quiet()
}
