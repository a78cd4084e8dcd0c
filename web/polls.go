package web

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// PollCounts are what one poller of this process has counted since its start.
type PollCounts struct {
	Source      string
	Good        uint64 // good polls
	Failed      uint64 // polls that told nothing
	StoreFailed uint64 // good polls that could not be told to the store
}

// Polls has the pollers of this process asked at each scrape.
func (m *Metrics) Polls(ask func() []PollCounts) {
	m.polls.mu.Lock()
	defer m.polls.mu.Unlock()
	m.polls.ask = ask
}

type pollCollector struct {
	mu  sync.Mutex
	ask func() []PollCounts
}

var pollDesc = prometheus.NewDesc("stream_api_polls_total", "Polls of this process by result: good, failed, store-failed.", []string{"source", "result"}, nil)

// Describe implements prometheus.Collector.
func (c *pollCollector) Describe(ch chan<- *prometheus.Desc) { ch <- pollDesc }

// Collect implements prometheus.Collector.
func (c *pollCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	ask := c.ask
	c.mu.Unlock()
	if ask == nil {
		return
	}
	for _, p := range ask() {
		for result, n := range map[string]uint64{"good": p.Good, "failed": p.Failed, "store-failed": p.StoreFailed} {
			ch <- prometheus.MustNewConstMetric(pollDesc, prometheus.CounterValue, float64(n), p.Source, result)
		}
	}
}
