package node

import (
	"syscall"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/pool"
)

// TestStoppedPastTheHandover: a process that slept through the handover wakes up and does not
// throw out the new owner.
func TestStoppedPastTheHandover(t *testing.T) {
	t.Parallel()
	a := leasedWorld(t)
	ana := a.customer(anaNumber)
	account := a.pair("shop", shopNumber)
	device := account.Linked()[0]
	a.shut() // from here on in its own process
	old := startChild(t)
	a.node = old.Client
	_, err := old.ConfigureLeased(a.ctx(), a.setup())
	a.must(err)
	a.must(old.Claim(a.ctx(), "shop", 2))
	a.listed(pool.Connected)

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
