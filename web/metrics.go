package web

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"stream-api/store"
	"stream-api/stream"
)

// Metrics are those of one process. Make one with NewMetrics, hand Script to
// store.Observe and Polls to where pollers are made; docs/metrics.md is the
// table of all names.
type Metrics struct {
	registry *prometheus.Registry
	picture  *pictureCollector
	polls    *pollCollector
	process  *processCollector

	build        *prometheus.GaugeVec
	scripts      *prometheus.HistogramVec
	scriptErrors *prometheus.CounterVec
	events       *prometheus.CounterVec
	appear       *prometheus.HistogramVec
	failover     *prometheus.HistogramVec
	gaps         *prometheus.HistogramVec
	jobs         *prometheus.CounterVec
	restarts     *prometheus.CounterVec
	holds        prometheus.Counter
	refusals     *prometheus.CounterVec
	denied       *prometheus.CounterVec

	refused refusals
	made    time.Time

	mu    sync.Mutex
	lives *lifetimes
}

// NewMetrics makes the metrics of this process in a registry of their own.
func NewMetrics(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), picture: newPictureCollector(), polls: &pollCollector{}, process: newProcessCollector(), made: time.Now(), lives: newLifetimes(),
		refused: refusals{rows: map[string]refused{}},
		scripts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stream_api_script_seconds", Help: "Round trip of one script of the store.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"script"}),
		scriptErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stream_api_script_errors_total", Help: "Scripts that did not answer.",
		}, []string{"script"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stream_api_events_total", Help: "Events seen in the store's feed since this process started.",
		}, []string{"event"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stream_api_jobs_total", Help: "Jobs seen in the store's feed since this process started, by result: done, failed, removed.",
		}, []string{"job", "result"}),
		appear: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stream_api_appear_to_running_seconds", Help: "From a stream's appearance to the first start of a slot, on the store's clock.",
			Buckets: []float64{.02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 300},
		}, []string{"type"}),
		failover: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stream_api_failover_seconds", Help: "From a slot being taken back from a lapsed host to its start elsewhere, on the store's clock.",
			Buckets: []float64{.02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 300},
		}, []string{"type"}),
		gaps: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stream_api_gap_seconds", Help: "For how long nothing of a slot ran, when it runs again, on the store's clock.",
			Buckets: []float64{.1, .5, 1, 2, 5, 10, 20, 30, 60, 300, 1800},
		}, []string{"slot"}),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stream_api_slot_restarts_total", Help: "Restarts of children that this process has seen.",
		}, []string{"stream", "type"}),
		holds: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stream_api_holds_total", Help: "Times the reaper began to hold since this process started.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stream_api_web_refused_total", Help: "Requests refused, by why: host, origin, token, login, rate, crowd.",
		}, []string{"why"}),
	}
	m.denied = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stream_api_store_refusals_total", Help: "Scripts of this process that Redis refused, by why: noperm, oom, misconf, readonly, noauth, busy, loading, maxclients and the like.",
	}, []string{"why"})
	m.build = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stream_api_build_info", Help: "1; the version is a label."}, []string{"version"})
	m.build.WithLabelValues(stream.Printable(version)).Set(1)
	m.registry.MustRegister(m.collectors()...)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// collectors are those of this project.
func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.build, m.scripts, m.scriptErrors, m.events, m.appear, m.failover, m.gaps, m.jobs, m.restarts, m.holds, m.refusals, m.denied, m.picture, m.polls, m.process}
}

// Script notes one call of the store; it fits store.Observe.
func (m *Metrics) Script(name string, took time.Duration, err error) {
	m.scripts.WithLabelValues(name).Observe(took.Seconds())
	if err != nil {
		m.scriptErrors.WithLabelValues(name).Inc()
	}
	if r, is := store.RefusalOf(err); is {
		m.denied.WithLabelValues(r.Word).Inc()
	}
	m.refused.heard(name, err)
}

// handler answers scrapes, one at a time and with a bound.
func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: readLimit, ErrorHandling: promhttp.ContinueOnError})
}

// event counts an event of the feed, and the durations it ends.
func (m *Metrics) event(e store.Event) {
	m.events.WithLabelValues(eventLabel(e.Event)).Inc()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Event {
	case "claimed", "asserted", "moved":
		m.picture.begins(e)
	case "hold":
		m.holds.Inc()
	case "gap":
		m.gap(e)
	case "job-done", "job-failed", "job-removed":
		if i, err := stream.ParseInstance(e.Slot); err == nil { // else written by hand
			m.jobs.WithLabelValues(i.Slot, strings.TrimPrefix(e.Event, "job-")).Inc()
		}
	case "gone":
		m.restarts.DeletePartialMatch(prometheus.Labels{"stream": e.Stream})
	}
	if s, ok := m.lives.observe(e); ok {
		histogram := m.appear
		if s.failover {
			histogram = m.failover
		}
		histogram.WithLabelValues(s.kind).Observe(s.seconds)
	}
}

// gap takes in how long nothing of a slot ran.
func (m *Metrics) gap(e store.Event) {
	slot := stream.SlotOf(e.Slot)
	seconds, err := strconv.ParseFloat(e.Facts["seconds"], 64)
	if err != nil || !(seconds >= 0) || stream.CheckType(slot) != nil {
		return // written by hand
	}
	m.gaps.WithLabelValues(slot).Observe(seconds)
}

// eventLabel keeps what a hand wrote into the feed from becoming a series.
func eventLabel(name string) string {
	if stream.CheckType(name) == nil || len(name) <= 32 && stream.Printable(name) == name && name != "" {
		return name
	}
	return "other"
}

// streamChanged counts restarts: what a picture has more than the one before.
func (m *Metrics) streamChanged(before, after stream.StreamStatus) {
	old := make(map[string]stream.InstanceStatus, len(before.Slots))
	for _, v := range before.Slots {
		old[v.Instance] = v
	}
	for _, v := range after.Slots {
		more := v.Restarts
		if o, known := old[v.Instance]; known && o.Token == v.Token {
			more -= o.Restarts
		} else if before.Key == "" && stream.Issued(v.Token) < m.made.UnixMilli() {
			more = 0 // they were before this process looked, at least some
		}
		if more > 0 {
			m.restarts.WithLabelValues(after.Key, v.Type).Add(float64(more))
		}
	}
}
