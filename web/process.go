package web

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Figure is one value that a part of this process counts or measures, under a
// name of processMetrics without its prefix.
type Figure struct {
	Name   string
	Value  float64
	Labels []string // values, in the order of the table
}

// processMetrics are the names with their labels and what they say.
var processMetrics = []struct {
	name   string
	kind   prometheus.ValueType
	labels []string
	help   string
}{
	{"slots_lost_total", prometheus.CounterValue, nil, "Slots that this host ended because another host has them: two ran."},
	{"slots_given_up_total", prometheus.CounterValue, nil, "Slots that this host left to another because they failed here."},
	{"slot_starts_total", prometheus.CounterValue, nil, "Slots that this host started."},
	{"child_restarts_total", prometheus.CounterValue, nil, "Children that this host started again."},
	{"host_slots", prometheus.GaugeValue, []string{"phase"}, "Slots of this host by phase: claiming, starting, running, stopping, releasing."},
	{"lease_age_seconds", prometheus.GaugeValue, nil, "Time since this host sent its last good heartbeat; absent: there was none."},
	{"scheduler_busy", prometheus.GaugeValue, nil, "1 if the scheduler of this process has a seat, 0 if it stands by."},
	{"scheduler_done_total", prometheus.CounterValue, []string{"what"}, "What the scheduler of this process did: wanted, placed, sent, unclaimed, reaped, moved."},
	{"queue_read", prometheus.GaugeValue, nil, "1 while this host reads the commands of its slots, 0 while Redis does not let it."},
}

// Process has the parts of this process asked for their figures at each scrape.
// A name or a number of labels that is not in the table panics.
func (m *Metrics) Process(ask func() []Figure) {
	m.process.mu.Lock()
	defer m.process.mu.Unlock()
	m.process.ask = ask
}

type processCollector struct {
	mu    sync.Mutex
	ask   func() []Figure
	descs map[string]*prometheus.Desc
	kinds map[string]prometheus.ValueType
}

func newProcessCollector() *processCollector {
	c := &processCollector{descs: map[string]*prometheus.Desc{}, kinds: map[string]prometheus.ValueType{}}
	for _, m := range processMetrics {
		c.descs[m.name] = prometheus.NewDesc("stream_api_"+m.name, m.help, m.labels, nil)
		c.kinds[m.name] = m.kind
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *processCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *processCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	ask := c.ask
	c.mu.Unlock()
	if ask == nil {
		return
	}
	for _, f := range ask() {
		ch <- prometheus.MustNewConstMetric(c.descs[f.Name], c.kinds[f.Name], f.Value, f.Labels...)
	}
}
