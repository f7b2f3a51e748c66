package cli

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/cluster"
	"github.com/tapnode/tapnode/host/internal/engine"
)

func (c *crash) hosts() []*mortalHost { return append([]*mortalHost{c.host}, c.more...) }

// leftToCrash skips a test of many hosts that make crash runs, as make test does, too: under the
// race detector so many processes take minutes, and TestCrashRuns lets it examine a host that
// shares its work.
func leftToCrash(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("make crash runs it, without the race detector")
	}
}

// any returns one of the hosts.
func (c *crash) any() *mortalHost {
	all := c.hosts()
	return all[rand.IntN(len(all))]
}

// TestCrashHosts: three hosts share two Postgres servers, one of which is the synchronous standby
// of the other, and many instances, and customers come to any of them. Meanwhile hosts are killed,
// lost for a while, stopped for longer than their lease and woken, and cut off from the database or
// from WhatsApp; nodes are killed, instances moved, and the primary is killed and its standby
// promoted. In the end everything is as on one host without any fault: see TestCrashRuns. Every
// event has come to a webhook, under one id. After each fault, the instances were served again
// within the lease and ten seconds, and a host that logged in an instance it did not own lost it
// again at once. TAPNODE_CRASH_INSTANCES, TAPNODE_CRASH_RUNS and TAPNODE_CRASH_FAULTS set how much
// is done.
func TestCrashHosts(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	both := startPair(t)
	c := &crash{t: t, base: both.primary, both: both, instances: sized("TAPNODE_CRASH_INSTANCES", 12), runs: make([]asked, sized("TAPNODE_CRASH_RUNS", 60)), kills: map[string]int{}}
	c.prepare(3)
	c.ready()
	heard := c.listen()
	for _, h := range c.more { // without the restart they would know the webhook only after seconds
		h.kill()
		c.until(func() bool { return h.lives.Load() == 2 })
	}
	c.ready()
	c.watch = startWatch(c)
	c.until(c.watch.served)
	began, times := time.Now(), sized("TAPNODE_CRASH_FAULTS", 8)
	c.faults.plan(times, len(c.runs))
	c.serve(func() {
		c.trouble(times, "kill a host", "cut off the database", "move an instance", "lose a host",
			"fail over", "kill a node", "cut off WhatsApp", "stop a host")
	})
	c.settle()
	c.connected()
	c.watch.judge(began)
	c.toldAll(heard)
	figures, taps := c.figures()
	for _, h := range c.hosts() {
		h.stop(t)
	}
	histories := c.verify()
	c.counted(figures, taps, histories)
	t.Logf("%d instances, %d runs, faults %v, %v", c.instances, len(c.runs), c.kills, time.Since(began).Round(time.Second))
}

// ready waits until all hosts are ready.
func (c *crash) ready() {
	for _, h := range c.hosts() {
		c.until(func() bool { return h.control.get(c.t.Context(), http.MethodGet, "/readyz", nil, nil, nil) == nil })
	}
}

// listen creates a webhook for some events.
func (c *crash) listen() *frail {
	f := startFrail(c.t)
	body := fmt.Appendf(nil, `{"url":"http://%s/","unordered":true,"events":["whatsapp.button.clicked.v1","flow.run.started.v1","flow.run.ended.v1"]}`, f.address)
	c.until(func() bool {
		return c.host.control.get(c.t.Context(), http.MethodPost, v1("webhooks"), nil, body, nil) == nil
	})
	return f
}

// lacks returns something that was not delivered yet.
func (f *frail) lacks(want map[string]bool) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for what := range want {
		if f.told[what] == nil {
			return what
		}
	}
	return ""
}

// toldAll waits until a receiver has events of each run and each tap, and checks that each has one
// id.
func (c *crash) toldAll(f *frail) {
	want := map[string]bool{}
	for _, r := range c.runs {
		want["flow.run.started.v1 "+r.id], want["flow.run.ended.v1 "+r.id] = true, true
		if r.tap != "" {
			want["whatsapp.button.clicked.v1 "+r.tap] = true
		}
	}
	for end := time.Now().Add(4 * engine.Lease); time.Now().Before(end) && f.lacks(want) != ""; {
		time.Sleep(50 * time.Millisecond)
	}
	if what := f.lacks(want); what != "" {
		c.t.Errorf("nobody told of %s", what)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for what, ids := range f.told {
		if !want[what] || len(ids) != 1 {
			c.t.Errorf("%s was told under %d ids, and should have been: %v", what, len(ids), want[what])
		}
	}
	c.t.Logf("%d events were told, %d calls failed", len(want), f.failed)
}

// connected waits until every instance is connected, as each host reports, and checks that all
// hosts share.
func (c *crash) connected() {
	for _, h := range c.hosts() {
		c.until(func() bool {
			var all struct {
				Instances []struct{ Name, State string } `json:"instances"`
			}
			err := h.control.get(c.t.Context(), http.MethodGet, v1("instances"), nil, nil, &all)
			n := 0
			for _, i := range all.Instances {
				if i.State == "connected" {
					n++
				}
			}
			return err == nil && n == c.instances
		})
	}
	var all struct{ Hosts []cluster.Host }
	if err := c.host.control.get(c.t.Context(), http.MethodGet, v1("hosts"), nil, nil, &all); err != nil {
		c.t.Fatal(err)
	}
	owned := 0
	for _, h := range all.Hosts {
		owned += len(h.Owns)
		if !h.Lives {
			c.t.Errorf("a host is not back: %+v", h)
		}
	}
	if len(all.Hosts) != len(c.hosts()) || owned != c.instances {
		c.t.Errorf("hosts: %+v", all.Hosts)
	}
}
