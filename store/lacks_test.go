package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stream-api/store"
)

// What of its file does not hold on a host is told by one event at each start
// of it, in its status, and by the doctor once for all hosts that are alike.
func TestWhatAHostDoesNotHoldIsTold(t *testing.T) {
	t.Parallel()
	g := newStage(t)
	g.open()
	const signals = "children can signal any process of their user"
	register := func(host, incarnation, replaces, lacks string) {
		t.Helper()
		_, err := g.s.Register(g.ctx, store.Registration{
			Holder: store.Holder{Host: host, Incarnation: incarnation}, Replaces: replaces, HostID: "id-" + host,
			TTL: 10 * time.Second, Beat: 2 * time.Second, Lacks: lacks,
		})
		g.must(err)
	}
	register("ber", "1", "", signals)
	register("ber", "1", "1", signals) // renewed: no news
	register("ham", "1", "", signals)
	register("fra", "1", "", "")
	status, err := g.s.Status(g.ctx)
	g.must(err)
	told := map[string]string{}
	for _, h := range status.Hosts {
		told[h.Host] = h.Lacks
	}
	if told["ber"] != signals || told["ham"] != signals || told["fra"] != "" {
		t.Errorf("%v", told)
	}
	events, err := g.s.Events(g.ctx, "0", 100, 0)
	g.must(err)
	var said []string
	for _, e := range events {
		if e.Event == "lacks" {
			said = append(said, e.Host)
			if !strings.Contains(fmt.Sprint(e.Told), signals) {
				t.Errorf("%+v", e)
			}
		}
	}
	if got := strings.Join(said, " "); got != "ber ham" {
		t.Errorf("events of %q, not one of ber and one of ham", got)
	}
	findings, err := g.s.Diagnose(g.ctx)
	g.must(err)
	hits := 0
	for _, f := range findings {
		if strings.Contains(f.What, "on ber, ham: "+signals) && f.Level == store.Warning {
			hits++
		}
	}
	if hits != 1 {
		t.Errorf("the doctor says it %d times: %v", hits, findings)
	}
	register("ber", "2", "1", "") // a newer kernel
	if status, err = g.s.Status(g.ctx); err != nil || status.Hosts[0].Lacks != "" {
		t.Errorf("%+v, %v", status.Hosts, err)
	}
}
