package node

import (
	"syscall"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// leave continues in a process of its own, which claims the instance.
func (w *world) leave(epoch uint64) *child {
	w.t.Helper()
	w.shut()
	c := startChild(w.t)
	w.node = c.Client
	_, err := c.ConfigureLeased(w.ctx(), w.setup())
	w.must(err)
	w.must(c.Claim(w.ctx(), "shop", epoch))
	w.listed(pool.Connected)
	return c
}

// TestStoppedPastTheHandover: a process that was suspended during the handover wakes up and does
// not displace the new owner.
func TestStoppedPastTheHandover(t *testing.T) {
	t.Parallel()
	a := leasedWorld(t)
	ana := a.customer(anaNumber)
	device := a.pair("shop", shopNumber).Linked()[0]
	old := a.leave(2)

	b := a.peer()
	b.epoch = 3
	a.must(old.cmd.Process.Signal(syscall.SIGSTOP))
	b.must(b.node.Claim(b.ctx(), "shop", 3))
	b.listed(pool.Connected)
	b.hello("while A sleeps")
	logins := device.Logins()
	a.must(old.cmd.Process.Signal(syscall.SIGCONT))
	a.refuses(2, false)
	b.hello("while A is awake")
	if device.Logins() != logins || !device.Online() {
		t.Errorf("%d logins since A woke", device.Logins()-logins)
	}
	a.listed(pool.Connected) // as B shows it
	for n, want := range []string{"while A sleeps", "while A is awake"} {
		if all := ana.Inbox(); len(all) != 2 || all[n].Text != want || all[n].Copies != 1 {
			t.Fatalf("Ana sees %+v, want %q once in place %d of 2", all, want, n+1)
		}
	}
}

// TestKilledOwner: an instance whose process is killed appears in the health of the other processes
// as waiting for its claim, until it is claimed.
func TestKilledOwner(t *testing.T) {
	t.Parallel()
	a := leasedWorld(t)
	a.pair("shop", shopNumber)
	owner := a.leave(2)
	b := a.peer()
	b.epoch = 3
	health := b.watch()
	b.listed(pool.Connected) // b knows by now who owns it
	news := make(chan bool, 10)
	sub, err := b.node.Subscribe(b.ctx(), client.Start{Operation: opButtonClick, Subscriber: "test",
		Behind: func(_ string, behind bool) { news <- behind }})
	b.must(err)
	go func() { // no event arrives, only such reports, until the subscription ends
		for err := error(nil); err == nil; {
			_, err = sub.Recv()
		}
		close(news)
	}()

	owner.kill()
	b.until(func() bool {
		i := b.lists()
		return i.State == pool.Disconnected && i.Phone != nil && *i.Phone == shopNumber && i.LastError != nil && i.LastError.Code == "lease_unclaimed"
	})
	if h := health.until(t, b.ctx(), "waiting when its process is gone", reason("lease_unclaimed")); h.State != sdk.Starting {
		t.Errorf("when its process is gone: %+v", h)
	}
	b.must(b.node.Claim(b.ctx(), "shop", 3))
	health.until(t, b.ctx(), "connected", healthy)
	for _, want := range []bool{true, false} {
		if got := <-news; got != want {
			t.Errorf("behind is %v, want %v", got, want)
		}
	}
}
