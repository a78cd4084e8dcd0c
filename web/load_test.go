package web

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/redis/go-redis/v9"

	"stream-api/store"
	"stream-api/stream"
)

var measure = flag.Bool("measure", false, "measure the page under load and write the figures into docs/benchmarks.md")

// The load that the page must carry.
const (
	loadStreams = 500
	loadHosts   = 20
	loadRate    = 20 // changes a second
	loadFor     = 20 * time.Second
)

var loadChain = []string{"dist", "transcode", "fanout_h264", "fanout_vpx", "fanout_audio", "record"}

// TestServerOfTheMeasurement is no test: it is the server as a process of its
// own, so that its processor time is its own.
func TestServerOfTheMeasurement(t *testing.T) {
	address := os.Getenv("WEB_TEST_REDIS")
	if address == "" {
		t.Skip("only a part of the measurement")
	}
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: address})
	defer func() { _ = client.Close() }() // nothing is lost with it
	s, err := store.New(client, store.Options{Actor: "web"})
	if err != nil {
		t.Fatal(err)
	}
	server, err := New(Options{Store: s, Listen: os.Getenv("WEB_TEST_LISTEN")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	l, err := net.Listen("tcp", os.Getenv("WEB_TEST_LISTEN"))
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Serve(ctx, l) // its parent kills it
}

func TestPageUnderLoad(t *testing.T) {
	if !*measure {
		t.Skip("measured with -measure")
	}
	c := newCrew(t)
	reservations := c.fill()
	l := listen(t, "")
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(os.Args[0], "-test.run", "^TestServerOfTheMeasurement$")
	server.Env = append(os.Environ(), "WEB_TEST_REDIS="+c.redis.Addr, "WEB_TEST_LISTEN="+address)
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait() // it was killed
	})
	b := newBrowser(t, 1440, 900)
	for started := time.Now(); ; {
		if err := chromedp.Do(b.ctx, chromedp.Navigate("http://"+address+"/")); err == nil {
			break
		} else if time.Since(started) > 20*time.Second {
			t.Fatal(err)
		}
	}
	b.await("all streams are shown", fmt.Sprintf(`document.querySelectorAll(".rows .row").length === %d`, loadStreams))
	if _, err := chromedp.Call(b.ctx, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}); err != nil {
		t.Fatal(err)
	}
	c.change(reservations, 3*time.Second) // warm
	page0, server0, started := b.metrics(), processTime(t, server.Process.Pid), time.Now()
	changes := c.change(reservations, loadFor)
	page1, server1, took := b.metrics(), processTime(t, server.Process.Pid), time.Since(started).Seconds()

	busy := (page1["TaskDuration"] - page0["TaskDuration"]) / took
	script := (page1["ScriptDuration"] - page0["ScriptDuration"]) / took
	layout := (page1["LayoutDuration"] + page1["RecalcStyleDuration"] - page0["LayoutDuration"] - page0["RecalcStyleDuration"]) / took
	core := (server1 - server0).Seconds() / took
	t.Logf("page busy %.1f %% (script %.1f, style and layout %.1f), server %.1f %% of a core, %.1f changes/s, heap %.1f MB",
		busy*100, script*100, layout*100, core*100, float64(changes)/took, page1["JSHeapUsedSize"]/1e6)
	if busy >= 0.20 {
		t.Errorf("the page's main thread is busy %.1f %%; 20 at most", busy*100)
	}
	if core >= 0.10 {
		t.Errorf("the server takes %.1f %% of a core; 10 at most", core*100)
	}
	late := c.lateness(b, reservations)
	t.Logf("a change is seen after %v (p50), %v (max)", late[len(late)/2], late[len(late)-1])
	if late[len(late)/2] > time.Second {
		t.Errorf("half of the changes are seen later than %v; a second at most", late[len(late)/2])
	}
	b.quiet()
	writeFigures(t, fmt.Sprintf(`| %d streams × %d slots, %d hosts | figure | limit |
|---|---|---|
| changes of slots a second | %.1f | |
| page, main thread busy | %.1f %% (script %.1f, style and layout %.1f) | 20 %% |
| page, JavaScript heap | %.1f MB | |
| server, share of a core | %.1f %% | 10 %% |
| a change in the store, until it is seen | p50 %.2f, max %.2f s | 1 s |
`, loadStreams, len(loadChain), loadHosts, float64(changes)/took, busy*100, script*100, layout*100, page1["JSHeapUsedSize"]/1e6, core*100, late[len(late)/2].Seconds(), late[len(late)-1].Seconds()))
}

// fill makes the streams, all running, and returns their slots.
func (c *crew) fill() []store.Reservation {
	c.t.Helper()
	for i := range loadHosts {
		var offers []offer
		for _, kind := range loadChain {
			offers = append(offers, offer{kind: kind, capacity: 200})
		}
		c.host(fmt.Sprintf("host%02d.lan", i), offers...)
	}
	var reservations []store.Reservation
	for i := range loadStreams {
		key := fmt.Sprintf("s%03d", i)
		c.appear(key, map[string]string{"title": "stream " + key}, loadChain...)
		for _, kind := range loadChain {
			v := c.run(key, kind, fmt.Sprintf("host%02d.lan", i%loadHosts), "")
			c.publish(v, map[string]string{"url": "http://live.example.org/" + key + "/" + kind})
			reservations = append(reservations, v)
		}
	}
	return reservations
}

// change changes slots one after another at the rate, for so long: it moves
// every fourth, and reports of the others.
func (c *crew) change(reservations []store.Reservation, long time.Duration) (changes int) {
	c.t.Helper()
	tick := time.NewTicker(time.Second / loadRate)
	defer tick.Stop()
	for end := time.Now().Add(long); time.Now().Before(end); changes++ {
		<-tick.C
		i := changes * 7 % len(reservations)
		v := reservations[i]
		if changes%4 == 0 {
			c.release(v, "moved")
			reservations[i] = c.run(v.Key, v.Instance, fmt.Sprintf("host%02d.lan", (i+changes)%loadHosts), "")
			continue
		}
		c.report(v, "restarted", "exit 1", map[string]string{"restarts": fmt.Sprint(changes % 9), "speed": fmt.Sprintf("1.0%d", changes%10), "fps": "25"})
	}
	return changes
}

// lateness is how long after a change in the store the page shows it, least
// first: slots that crash and hosts that are cordoned, at any moment of the
// server's rhythm.
func (c *crew) lateness(b *browser, reservations []store.Reservation) (late []time.Duration) {
	c.t.Helper()
	for i := range 20 {
		time.Sleep(rand.N(1500 * time.Millisecond))
		restarts := fmt.Sprint(1000 + i)
		v := reservations[i]
		c.report(v, "crashed", "exit 1", map[string]string{"reason": "restarting after exit 1", "exit": "exit 1", "restarts": restarts})
		late = append(late, b.await("the crash is told", cellSays(v.Key, v.Instance, "↻ "+restarts)))

		time.Sleep(rand.N(1500 * time.Millisecond))
		host := fmt.Sprintf("host%02d.lan", i%loadHosts)
		if err := c.store.Cordon(c.ctx, host, stream.Cordoned); err != nil {
			c.t.Fatal(err)
		}
		late = append(late, b.await("it is cordoned", fmt.Sprintf(`document.querySelector('[data-host=%q]').dataset.state === "cordoned"`, host)))
	}
	slices.Sort(late)
	return late
}

// metrics reads the page's Performance metrics, in seconds and bytes.
func (b *browser) metrics() map[string]float64 {
	b.t.Helper()
	r, err := chromedp.Call(b.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, m := range r.Metrics {
		out[m.Name] = m.Value
	}
	return out
}

// processTime is what a process has used of the processor, from the kernel's
// 10 ms ticks.
func processTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		t.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

const (
	figuresFile  = "../docs/benchmarks.md"
	figuresTitle = "## Page"
)

// writeFigures replaces the section of the page, and only that.
func writeFigures(t *testing.T, table string) {
	t.Helper()
	text, err := os.ReadFile(figuresFile)
	if os.IsNotExist(err) {
		text, err = []byte("# Benchmarks\n"), nil
	}
	if err != nil {
		t.Fatal(err)
	}
	section := figuresTitle + "\n\nThe status page in headless Chromium without a graphics card, all rows open, beside its server, Redis and the\n" +
		"load on one machine of two cores. The page's shares are processor time of its main thread, so that what else the machine\n" +
		"does is not counted. `go test ./web -run PageUnderLoad -measure` takes these figures anew.\n\n" + table
	before, rest, found := strings.Cut(string(text), figuresTitle+"\n")
	if found {
		if _, after, more := strings.Cut(rest, "\n## "); more {
			section += "\n## " + after
		}
	}
	if err := os.WriteFile(figuresFile, []byte(strings.TrimRight(before, "\n")+"\n\n"+section), 0o644); err != nil {
		t.Fatal(err)
	}
}
