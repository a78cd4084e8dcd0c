package web

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"stream-api/store"
	"stream-api/stream"
)

// pictureCollector makes metrics of the store's picture at each scrape.
type pictureCollector struct {
	mu     sync.Mutex
	board  *board // nil until a server watches
	queues Queues
	own    func() []stream.RefusedStatus
	idle   map[slotName]int64 // slots that do not run → since when, store's ms
	descs  map[string]*prometheus.Desc
}

// pictureMetrics are the names with their labels and what they say.
var pictureMetrics = []struct {
	name   string
	labels []string
	help   string
}{
	{"store_up", nil, "1 if the store could be read at this scrape; 0: all other metrics of the store are absent."},
	{"store_refuses", []string{"why"}, "1 while Redis refuses what it is asked, by why: of whoever writes (oom, misconf, readonly, noreplicas), of this process, or of one that says so in the store."},
	{"streams", nil, "Streams that have a record."},
	{"slots", []string{"type", "state"}, "Slots by state: pending, assigned, starting, failing (no child runs, or one that keeps failing), running, stopping."},
	{"slots_down", []string{"type"}, "Slots of which nothing runs."},
	{"slots_degraded", []string{"type"}, "Slots of which some of the instances that are wanted run, and some do not."},
	{"slots_fragile", []string{"type"}, "Instances that run and would find no place if they had to start again."},
	{"slots_pending", []string{"type", "why"}, "Pending slots by class of reason: full, needs, cooldown, pinned, no-service, host (its own host is not up), hold, other."},
	{"slot_wait_seconds", []string{"type"}, "For how long nothing has been running of the slot that has waited longest."},
	{"slot_speed", []string{"stream", "type", "host"}, "Speed that ffmpeg reports; 1 is real time."},
	{"slots_stale", []string{"type"}, "Running slots whose environment would now differ."},
	{"jobs", []string{"type", "state"}, "Jobs that are not done: waiting, running, failed (for good; they wait for an operator)."},
	{"jobs_oldest_seconds", []string{"type"}, "Age of the oldest job that waits or runs."},
	{"service_capacity", []string{"type", "host"}, "Slots that a service takes at once; absent: no limit."},
	{"service_used", []string{"type", "host"}, "Slots that a service has."},
	{"pool_size", []string{"host", "pool"}, "What a pool of a host has."},
	{"pool_used", []string{"host", "pool"}, "What the slots there take of it."},
	{"service_unwell", []string{"type", "host", "heeded"}, "1 while the check of a service fails; heeded: whether it takes nothing new for that (yes, no)."},
	{"host_up", []string{"host", "state"}, "1 unless the host is down; absent for a host that left as it was told to, as all else of it."},
	{"host_lease_seconds", []string{"host"}, "Time until the host's lease ends; negative: it ended so long ago."},
	{"source_good", []string{"source"}, "1 if the last poll was good."},
	{"source_last_good_seconds", []string{"source"}, "Age of the last good poll; absent for what was added by hand."},
	{"source_streams", []string{"source"}, "Streams announced."},
	{"source_missing", []string{"source"}, "Expected streams that nobody publishes."},
	{"source_over", []string{"source"}, "New streams of the last good poll refused beyond max_streams."},
	{"source_refused", []string{"source"}, "Mounts of the last good poll that were refused."},
	{"source_differs", []string{"source"}, "Hosts that poll it and whose files do not say what is in force."},
	{"source_stalled", []string{"source"}, "Streams that are listed but whose bytes do not grow."},
	{"keys_aside", nil, "Keys of the store that a hand made another type and that were set aside."},
	{"hold", nil, "1 while nothing is taken or given."},
	{"headroom_unplaced_slots", []string{"host"}, "Slots of which nothing would run if this host were lost, as they would have no place."},
	{"queue_pending", []string{"queue"}, "Tasks that wait in a queue."},
	{"queue_lag_seconds", []string{"queue"}, "Age of the oldest task that waits."},
	{"queue_archived", []string{"queue"}, "Tasks that failed and are kept with their reason."},
	{"queue_paused", []string{"queue"}, "1 if an operator paused the queue."},
	{"web_watchers", nil, "Open live pages."},
}

func newPictureCollector() *pictureCollector {
	c := &pictureCollector{own: func() []stream.RefusedStatus { return nil }, descs: map[string]*prometheus.Desc{}}
	for _, m := range pictureMetrics {
		c.descs[m.name] = prometheus.NewDesc("stream_api_"+m.name, m.help, m.labels, nil)
	}
	return c
}

func (m *Metrics) watch(b *board, q Queues) {
	m.picture.mu.Lock()
	defer m.picture.mu.Unlock()
	m.picture.board, m.picture.queues, m.picture.own = b, q, b.own
}

// Describe implements prometheus.Collector.
func (c *pictureCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// gauges sends values to one scrape.
type gauges struct {
	c  *pictureCollector
	ch chan<- prometheus.Metric
}

func (g gauges) set(name string, value float64, labels ...string) {
	g.ch <- prometheus.MustNewConstMetric(g.c.descs[name], prometheus.GaugeValue, value, labels...)
}

// Collect implements prometheus.Collector.
func (c *pictureCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := gauges{c, ch}
	if c.board == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	g.set("web_watchers", float64(c.board.hub.count()))
	pic, err := c.board.current(ctx)
	g.refusals(pic, err, c.own())
	if err != nil {
		g.set("store_up", 0)
		return
	}
	g.set("store_up", 1)
	g.set("keys_aside", float64(len(pic.parts.Aside)))
	g.set("hold", one(pic.parts.Hold != nil))
	g.set("streams", float64(len(pic.streams)))
	g.slots(pic)
	g.jobs(pic)
	g.hosts(pic)
	g.sources(pic)
	g.queues(ctx, c.queues)
}

// refusals tells what Redis refuses: this scrape, whoever writes, and anybody who
// said so.
func (g gauges) refusals(pic picture, err error, own []stream.RefusedStatus) {
	why := map[string]bool{}
	if r, is := store.RefusalOf(err); is {
		why[r.Word] = true
	}
	if h := pic.parts.Hold; h != nil && h.Refuses != "" {
		why[h.Refuses] = true
	}
	for _, v := range slices.Concat(pic.parts.Refused, own) {
		why[v.Word] = true
	}
	for word := range why {
		g.set("store_refuses", 1, word)
	}
}

func (g gauges) slots(pic picture) {
	states, waits := map[[2]string]int{}, map[[2]string]int{}
	longest, stale, idle := map[string]float64{}, map[string]int{}, map[slotName]int64{}
	for _, v := range pic.streams {
		for _, slot := range v.status.Slots {
			kind := slot.Type
			states[[2]string{kind, slot.Shown()}]++
			if slot.State == stream.Pending {
				waits[[2]string{kind, slot.Code.Waits()}]++
			}
			if slot.State != stream.Stopping && slot.Shown() != string(stream.Running) {
				// Since is of its state: it begins anew when a reservation is taken back.
				name := slotName{v.status.Key, slot.Name}
				idle[name] = slot.Since
				if since, known := g.c.idle[name]; known {
					idle[name] = min(since, slot.Since)
				}
			}
			if slot.Stale {
				stale[kind]++
			}
			if speed, err := strconv.ParseFloat(strings.TrimSuffix(slot.Speed, "x"), 64); err == nil && slot.State == stream.Running {
				g.set("slot_speed", speed, v.status.Key, slot.Name, slot.Host)
			}
		}
	}
	g.c.idle = idle
	g.conditions(pic, longest)
	for at, n := range states {
		g.set("slots", float64(n), at[0], at[1])
	}
	for at, n := range waits {
		g.set("slots_pending", float64(n), at[0], at[1])
	}
	for kind, age := range longest {
		g.set("slot_wait_seconds", age, kind)
	}
	for kind, n := range stale {
		g.set("slots_stale", float64(n), kind)
	}
}

// conditions counts slots as a whole; longest is by type for how long nothing of one has
// been running.
func (g gauges) conditions(pic picture, longest map[string]float64) {
	counts := map[string]map[string]int{"slots_down": {}, "slots_degraded": {}, "slots_fragile": {}}
	for _, v := range pic.streams {
		for _, slot := range v.status.BySlot() {
			for _, of := range counts {
				of[slot.Type] += 0
			}
			switch slot.Condition() {
			case stream.SlotDegraded:
				counts["slots_degraded"][slot.Type]++
			case stream.SlotDown:
				counts["slots_down"][slot.Type]++
				var last int64 // since the last of them does not run
				for _, one := range slot.Waiting {
					last = max(last, g.c.idle[slotName{v.status.Key, one.Name}])
				}
				longest[slot.Type] = max(longest[slot.Type], float64(pic.at-last)/1000)
			}
		}
	}
	for _, v := range pic.parts.Fragile {
		counts["slots_fragile"][v.Type]++
	}
	for name, of := range counts {
		for kind, n := range of {
			g.set(name, float64(n), kind)
		}
	}
}

func (g gauges) jobs(pic picture) {
	if pic.parts.Jobs == nil {
		return
	}
	for kind, n := range pic.parts.Jobs.Types {
		g.set("jobs", float64(n.Waiting), kind, "waiting")
		g.set("jobs", float64(n.Running), kind, "running")
		g.set("jobs", float64(n.Failed), kind, "failed")
		if n.Oldest > 0 {
			g.set("jobs_oldest_seconds", float64(pic.at-n.Oldest)/1000, kind)
		}
	}
}

func (g gauges) hosts(pic picture) {
	down := map[string]int{}
	for _, loss := range pic.parts.Headroom.Losses {
		down[loss.Host] = loss.Down
	}
	for _, h := range pic.parts.Hosts {
		if h.Left {
			continue // as it was told to; nothing of it is to be alarmed about
		}
		g.set("host_up", one(h.State != stream.Down), h.Host, string(h.State))
		if h.LeaseEnd != 0 {
			g.set("host_lease_seconds", float64(h.LeaseEnd-pic.at)/1000, h.Host)
		}
		g.set("headroom_unplaced_slots", float64(down[h.Host]), h.Host)
		for _, p := range h.Pools {
			g.set("pool_size", p.Size.Float(), h.Host, p.Pool)
			g.set("pool_used", p.Used.Float(), h.Host, p.Pool)
		}
		for _, v := range h.Services {
			if v.Capacity != nil {
				g.set("service_capacity", float64(*v.Capacity), v.Type, h.Host)
			}
			g.set("service_used", float64(v.Used), v.Type, h.Host)
			switch v.Code {
			case stream.CodeCheckFails:
				g.set("service_unwell", 1, v.Type, h.Host, "yes")
			case stream.CodeCheckIgnored:
				g.set("service_unwell", 1, v.Type, h.Host, "no")
			}
		}
	}
}

func (g gauges) sources(pic picture) {
	gone := map[string]int{}
	for _, m := range pic.parts.Missing {
		gone[m.Source]++
	}
	for _, s := range pic.parts.Sources {
		g.set("source_good", one(s.State == stream.SourceGood), s.Name)
		if s.LastGood > 0 && s.Name != store.ManualSource { // nobody polls what was added by hand
			g.set("source_last_good_seconds", float64(pic.at-s.LastGood)/1000, s.Name)
		}
		g.set("source_streams", float64(s.Streams), s.Name)
		g.set("source_missing", float64(gone[s.Name]), s.Name)
		g.set("source_over", float64(s.Over), s.Name)
		g.set("source_refused", float64(s.Refused), s.Name)
		g.set("source_differs", float64(len(s.Differs)), s.Name)
		g.set("source_stalled", float64(len(s.Stalled)), s.Name)
	}
}

func (g gauges) queues(ctx context.Context, q Queues) {
	if q == nil {
		return
	}
	depths, err := q.Depths(ctx)
	if err != nil {
		g.ch <- prometheus.NewInvalidMetric(g.c.descs["queue_pending"], err)
		return
	}
	for _, d := range depths {
		g.set("queue_pending", float64(d.Pending), d.Queue)
		g.set("queue_lag_seconds", d.Lag.Seconds(), d.Queue)
		g.set("queue_archived", float64(d.Archived), d.Queue)
		g.set("queue_paused", one(d.Paused), d.Queue)
	}
}

// begins takes in that a slot was started: if it does not run at the next
// scrape, it has not been running since then.
func (c *pictureCollector) begins(e store.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.idle, slotName{e.Stream, e.Slot})
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
