package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
)

// fresh is how long counts from the database are reused, and askTime how long the database may take to
// answer.
const (
	fresh   = 10 * time.Second
	askTime = 5 * time.Second
)

// Watch adds metrics that are collected whenever they are read: whether the host is ready, its nodes and
// their instances, and how much is in its database.
func (m *Metrics) Watch(ready func() api.Readiness, counts func(context.Context) (sqllog.Counts, error)) {
	m.registry.MustRegister(&state{ready: ready, counts: counts})
}

type state struct {
	ready  func() api.Readiness
	counts func(context.Context) (sqllog.Counts, error)

	mu    sync.Mutex
	last  sqllog.Counts
	asked time.Time // when last was read; zero: never
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	isReady   = desc("tapnode_ready", "1 while the host takes work and can store it, as GET /readyz says.")
	nodeState = desc("tapnode_node_state", "1 for the state that a node's process is in.", "node", "state")
	instances = desc("tapnode_instance_state", "1 for the state that an instance of a node is in, with the code of the reason.", "node", "instance", "state", "reason")
	runs      = desc("tapnode_runs", "Runs that are kept, by whether they go on.", "status")
	bytes     = desc("tapnode_runs_bytes", "Bytes of the states of all runs.")
	waits     = desc("tapnode_waits", "Waits that an answer finds, also a late one.")
	letters   = desc("tapnode_dead_letters", "Dead letters that are kept.")
	due       = desc("tapnode_tasks_due", "Tasks that are due, by queue. With SQLite those that are worked on are among them.", "queue")
	writes    = desc("tapnode_db_writes_total", "Writes of this host that the database has committed.")
	commits   = desc("tapnode_db_commits_total", "Transactions that those writes shared, by whether they waited for the disk.", "synced")
)

// Describe implements prometheus.Collector.
func (s *state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{isReady, nodeState, instances, runs, bytes, waits, letters, due, writes, commits} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. While the database does not answer, its numbers are left out.
func (s *state) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	r := s.ready()
	ready := 0.0
	if r.Ready {
		ready = 1
	}
	gauge(isReady, ready)
	for _, n := range r.Nodes {
		gauge(nodeState, 1, n.Name, n.State)
		for _, i := range n.Instances {
			gauge(instances, 1, n.Name, i.Name, i.State, i.Reason)
		}
	}
	c, ok := s.count()
	if !ok {
		return
	}
	gauge(runs, float64(c.Runs-c.Over), "running")
	gauge(runs, float64(c.Over), "over")
	gauge(bytes, float64(c.Bytes))
	gauge(waits, float64(c.Waits))
	gauge(letters, float64(c.DeadLetters))
	for q, n := range c.Due {
		gauge(due, float64(n), string(q))
	}
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(writes, c.Stats.Writes)
	counter(commits, c.Stats.Synced, "yes")
	counter(commits, c.Stats.Commits-c.Stats.Synced, "no")
}

func (s *state) count() (sqllog.Counts, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked.IsZero() && time.Since(s.asked) < fresh {
		return s.last, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	c, err := s.counts(ctx)
	if err != nil {
		return c, false
	}
	s.last, s.asked = c, time.Now()
	return c, true
}
