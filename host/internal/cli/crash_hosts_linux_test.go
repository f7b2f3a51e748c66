package cli

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/cluster"
)

// pause is longer than the lease of a host, in which the others take over.
const pause = 20 * time.Second

func (c *crash) hosts() []*mortalHost { return append([]*mortalHost{c.host}, c.more...) }

// leftToCrash leaves a test of many hosts to make crash, which make test runs, too: under the race detector
// so many processes take minutes, and TestCrashRuns has it look at a host that shares.
func leftToCrash(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("make crash runs it, without the race detector")
	}
}

// any is one of the hosts.
func (c *crash) any() *mortalHost {
	all := c.hosts()
	return all[rand.IntN(len(all))]
}

// TestCrashHosts: three hosts share a Postgres server and four instances, and customers come to any of them,
// while hosts are killed, stopped for longer than their lease and woken, their nodes killed, the server
// killed, and instances moved. In the end it is as on one host that nothing happened to: see TestCrashRuns.
// And at no time did two hosts go on holding one instance. TAPNODE_CRASH_RUNS and
// TAPNODE_CRASH_FAULTS say how much.
func TestCrashHosts(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	c := &crash{t: t, base: startMortalPostgres(t), runs: make([]asked, sized("TAPNODE_CRASH_RUNS", 60)), kills: map[string]int{}}
	c.prepare(3)
	for _, h := range c.hosts() {
		c.until(func() bool { return h.control.get(t.Context(), http.MethodGet, "/readyz", nil, nil, nil) == nil })
	}
	began := time.Now()
	c.serve(func() {
		c.trouble(sized("TAPNODE_CRASH_FAULTS", 5), "kill a host", "move an instance", "stop a host", "kill a node", "kill Postgres")
	})
	c.settle()
	c.connected()
	figures, taps := c.figures()
	for _, h := range c.hosts() {
		h.stop(t)
	}
	histories := c.verify()
	c.counted(figures, taps, histories)
	t.Logf("%d runs, faults %v, %v", len(c.runs), c.kills, time.Since(began).Round(time.Second))
}

// trouble does things of some kinds to the hosts in turn, each when the runs have come a random step further.
func (c *crash) trouble(times int, kinds ...string) {
	asleep := map[*mortalHost]time.Time{} // until when
	for i := range times {
		until := int64(3*len(c.runs)*i/times + rand.IntN(3*len(c.runs)/times+1))
		for c.moves.Load() < until && c.t.Context().Err() == nil && !c.t.Failed() {
			time.Sleep(5 * time.Millisecond) // a fault needs no precision
		}
		kind, h := kinds[i%len(kinds)], c.any()
		if time.Now().Before(asleep[h]) { // it is killed in its sleep, or sleeps on
			kind = []string{"kill a host", "move an instance"}[rand.IntN(2)]
		}
		switch kind {
		case "kill a host":
			h.kill()
		case "kill a node":
			h.killNode(c.t)
		case "kill Postgres":
			c.base.kill(c.t)
		case "move an instance":
			c.move(h)
		case "stop a host":
			h.signal(c.t, syscall.SIGSTOP)
			asleep[h] = time.Now().Add(pause)
			time.AfterFunc(pause, func() { h.signal(c.t, syscall.SIGCONT) })
		}
		c.kills[kind]++
	}
	if len(asleep) > 0 {
		time.Sleep(pause + time.Second)
	}
}

// signal stops or wakes a host and its node.
func (h *mortalHost) signal(t *testing.T, s syscall.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cmd == nil || h.cmd.Process == nil {
		return
	}
	for _, pid := range append(children(t, h.cmd.Process.Pid), h.cmd.Process.Pid) {
		_ = syscall.Kill(pid, s) // it may have ended
	}
}

// move asks one host to give an instance to a random one, which may be asleep.
func (c *crash) move(ask *mortalHost) {
	var all struct{ Hosts []cluster.Host }
	if ask.control.get(c.t.Context(), http.MethodGet, v1("hosts"), nil, nil, &all) != nil || len(all.Hosts) == 0 {
		return // it was killed
	}
	body := fmt.Appendf(nil, `{"host":%q}`, all.Hosts[rand.IntN(len(all.Hosts))].ID)
	_ = ask.control.get(c.t.Context(), http.MethodPost, v1("instances", crashInstance(rand.IntN(crashInstances)), "move"), nil, body, nil)
}

// connected waits until every instance is connected, as each host tells it, and checks that all hosts share.
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
			return err == nil && n == crashInstances
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
	if len(all.Hosts) != len(c.hosts()) || owned != crashInstances {
		c.t.Errorf("hosts: %+v", all.Hosts)
	}
}
