// Package metrics shows the state of a host in Prometheus' format: runs, waits, tasks, the database, calls,
// HTTP, nodes and their instances.
//
// What it guarantees:
//
//   - Labels come from bounded lists: names that a program or an operator gave. They contain no part of a
//     message and no phone number; flows beyond [maxFlows] share one label.
//   - Metrics delay no work: counting adds to a number in memory, and the database is only asked when the
//     metrics are read, every ten seconds at most.
package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxFlows is how many flows have a label of their own.
const maxFlows = 200

// other is the label of flows and routes without a label of their own.
const other = "other"

// Metrics are the metrics of one host. Its methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	started, ended  *prometheus.CounterVec
	steps, letters  *prometheus.CounterVec
	late            *prometheus.HistogramVec
	appends         prometheus.Histogram
	refused         *prometheus.CounterVec
	calls, requests *prometheus.HistogramVec
	running         *prometheus.GaugeVec

	mu    sync.Mutex
	flows map[string]bool
}

// wide goes from a millisecond to half an hour: calls simulate typing and wait, and timers are late while
// the database is unavailable.
var wide = []float64{0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120, 600, 1800}

// New makes metrics that start at zero.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), flows: map[string]bool{}}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		m.registry.MustRegister(h)
		return h
	}
	m.started = counter("tapnode_runs_started_total", "Runs that began, by flow.", "flow")
	m.ended = counter("tapnode_runs_ended_total", "Runs that were over, by flow and status.", "flow", "status")
	m.steps = counter("tapnode_steps_total", "Steps of runs, by kind: wait.armed, wait.answered, wait.timeout, node.failed and so on.", "kind")
	m.letters = counter("tapnode_dead_letters_total", "Events that could not be delivered and were kept as dead letters, by reason.", "code")
	m.late = histogram("tapnode_task_late_seconds", "How long after it was due a task was taken up, by queue.", wide, "queue")
	m.refused = counter("tapnode_append_errors_total", "Changes of runs that were not stored, by reason: conflict and stale settle by themselves.", "reason")
	m.calls = histogram("tapnode_call_seconds", "Calls of nodes, by operation and outcome: ok, or the effect of a failure.", wide, "operation", "outcome")
	m.requests = histogram("tapnode_http_request_seconds", "HTTP requests, by route and status. Streams end when they are closed.", wide, "route", "status")
	m.running = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "tapnode_calls_running", Help: "Calls of nodes that run, by operation."}, []string{"operation"})
	m.appends = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "tapnode_append_seconds", Help: "How long it took until a change of a run was on the disk.",
		Buckets: []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 10},
	})
	m.registry.MustRegister(m.running, m.appends, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// flow returns the label of a flow.
func (m *Metrics) flow(id string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.flows[id]:
	case len(m.flows) >= maxFlows:
		return other
	default:
		m.flows[id] = true
	}
	return id
}

// Call counts a call of an operation that a node offers. The function that it returns is to be called with
// the outcome.
func (m *Metrics) Call(operation string) (ended func(outcome string)) {
	began, running := time.Now(), m.running.WithLabelValues(operation)
	running.Inc()
	return func(outcome string) {
		running.Dec()
		m.calls.WithLabelValues(operation, outcome).Observe(time.Since(began).Seconds())
	}
}

// Request counts an HTTP request by the pattern of its route.
func (m *Metrics) Request(route, status string, took time.Duration) {
	if route == "" {
		route = other
	}
	m.requests.WithLabelValues(route, status).Observe(took.Seconds())
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}
