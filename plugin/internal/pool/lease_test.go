package pool

import (
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/wasim"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// TestLeaseLostInSilence: another process has claimed the instance, and nothing on the connection says
// so. The next send finds out, and sends nothing.
func TestLeaseLostInSilence(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	p := w.open(nil)
	i, err := p.Get("shop-001")
	must(t, err)
	must(t, i.Lease(w.ctx(), 1))
	w.until(i, "connected", in(Connected))

	w.claimElsewhere("shop-001", 2)
	_, err = i.Send(w.ctx(), Outgoing{To: device.LID().ToNonAD(), ID: "3EB0C0FFEE", Message: &waE2E.Message{Conversation: proto.String("late")}})
	if !errors.Is(err, registry.ErrLeaseLost) {
		t.Errorf("a send under the old lease = %v, want ErrLeaseLost", err)
	}
	if s := w.until(i, "told", trouble(CodeLeaseLost)); s.State != Replaced {
		t.Errorf("status = %+v", s)
	}
	if rec, _ := w.sim.Record("3EB0C0FFEE"); len(rec.Attempts) != 0 {
		t.Error("the message left")
	}
	if err := i.Lease(w.ctx(), 1); !errors.Is(err, registry.ErrLeaseLost) {
		t.Errorf("the old lease = %v, want ErrLeaseLost", err)
	}
	if err := i.Lease(w.ctx(), 0); !errors.Is(err, registry.ErrLeaseLost) {
		t.Errorf("no lease = %v, want ErrLeaseLost", err)
	}
	must(t, i.Lease(w.ctx(), 3)) // the lease came back
	w.until(i, "connected again", in(Connected))
	if device.Logins() != 2 {
		t.Errorf("%d logins, want 2", device.Logins())
	}
}

// TestLeasedInstanceWaitsForItsClaim: a process that starts does not connect an instance that another
// process may own, until its host claims it.
func TestLeasedInstanceWaitsForItsClaim(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	w.claimElsewhere("shop-001", 4)
	p := w.open(nil)
	i, err := p.Get("shop-001")
	must(t, err)
	if s := i.Status(); s.State != Disconnected || s.Trouble == nil || s.Trouble.Code != CodeUnclaimed {
		t.Errorf("status = %+v", s)
	}
	if err := i.Lease(w.ctx(), 3); !errors.Is(err, registry.ErrLeaseLost) {
		t.Errorf("an old epoch = %v", err)
	}
	must(t, i.Take(w.ctx())) // as a host without leases does when it connects the instance
	s := w.until(i, "connected", in(Connected))
	if s.Trouble != nil || device.Logins() != 1 {
		t.Errorf("status = %+v after %d logins", s, device.Logins())
	}
}

// TestClaimOfTheSameProcess: a newer epoch for an instance that is already here does not affect its
// connection.
func TestClaimOfTheSameProcess(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	p := w.open(nil)
	i, err := p.Get("shop-001")
	must(t, err)
	w.until(i, "connected", in(Connected))
	for epoch := range uint64(5) {
		must(t, i.Lease(w.ctx(), epoch+1))
		must(t, i.Lease(w.ctx(), epoch+1))
	}
	if s := i.Status(); s.State != Connected || device.Logins() != 1 {
		t.Errorf("status = %+v after %d logins", s, device.Logins())
	}
}

// TestDialReadsTheLease: another process has claimed the instance while the connection was down. This
// process does not dial, whether it held a lease or knew of none.
func TestDialReadsTheLease(t *testing.T) {
	for name, epoch := range map[string]uint64{"it held a lease": 1, "nobody leased": 0} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, wasim.Options{})
			device := w.adopt(1)
			p := w.open(nil)
			i, err := p.Get("shop-001")
			must(t, err)
			must(t, i.Lease(w.ctx(), epoch))
			w.until(i, "connected", in(Connected))
			w.claimElsewhere("shop-001", 2)
			device.Drop()
			if s := w.until(i, "told", trouble(CodeLeaseLost)); s.State != Replaced {
				t.Errorf("status = %+v", s)
			}
			if device.Logins() != 1 {
				t.Errorf("%d logins, want the first only", device.Logins())
			}
		})
	}
}

// TestReplacedUnderItsLease: a process without the lease took over the session. The holder of the lease
// takes it back.
func TestReplacedUnderItsLease(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	p := w.open(nil)
	i, err := p.Get("shop-001")
	must(t, err)
	must(t, i.Lease(w.ctx(), 1))
	w.until(i, "connected", in(Connected))
	device.Replaced()
	w.until(i, "connected again", func(s Status) bool { return s.State == Connected && device.Logins() == 2 })
}

// TestLetsGoOfWhatIsClaimedElsewhere: a leased process dials nothing before its claim, and hangs up by
// itself when another process claims the instance, even if that one does not dial yet.
func TestLetsGoOfWhatIsClaimedElsewhere(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	p := w.open(func(o *Options) { o.Leased = true })
	if here := p.List(); len(here) > 0 || device.Logins() > 0 {
		t.Errorf("%d instances and %d logins before any claim", len(here), device.Logins())
	}
	if _, err := p.Under(w.ctx(), "shop-001", 0); !errors.Is(err, ErrUnclaimed) || !errors.Is(err, registry.ErrLeaseLost) {
		t.Errorf("a call without a lease = %v", err)
	}
	for _, epoch := range []uint64{1, 3} {
		if news, err := p.Claim(w.ctx(), "shop-001", epoch); err != nil || !news {
			t.Fatalf("claim = %v, %v", news, err)
		}
		if news, err := p.Claim(w.ctx(), "shop-001", epoch); err != nil || news {
			t.Errorf("the same claim = %v, %v", news, err)
		}
		i, err := p.Get("shop-001")
		must(t, err)
		must(t, i.Take(w.ctx()))
		w.until(i, "connected", in(Connected))
		w.claimElsewhere("shop-001", epoch+1)
		if s := w.until(i, "told", trouble(CodeLeaseLost)); s.State != Replaced {
			t.Errorf("status = %+v", s)
		}
		for ctx := w.ctx(); device.Online(); time.Sleep(time.Millisecond) { // until the server has seen it
			must(t, ctx.Err())
		}
	}
	must(t, w.db.Registry.Delete(w.ctx(), "shop-001"))
	if _, err := p.Claim(w.ctx(), "shop-001", 5); !errors.Is(err, sqldb.ErrNotFound) {
		t.Errorf("a claim of what is deleted = %v", err)
	}
	if here := p.List(); len(here) > 0 {
		t.Errorf("%s is still here", here[0].Name())
	}
}

// TestClaimAfterAnUnseenOwner: another process owned the instance for a while, and this one did not
// notice. The session that it had cached is out of date.
func TestClaimAfterAnUnseenOwner(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	device := w.adopt(1)
	p := w.open(nil)
	i, err := p.Get("shop-001")
	must(t, err)
	must(t, i.Lease(w.ctx(), 1))
	w.until(i, "connected", in(Connected))
	w.claimElsewhere("shop-001", 2)
	must(t, i.Lease(w.ctx(), 3))
	w.until(i, "connected anew", func(s Status) bool { return s.State == Connected && device.Logins() == 2 })
}

// claimElsewhere claims the instance as another process would.
func (w *world) claimElsewhere(name string, epoch uint64) {
	w.t.Helper()
	_, err := w.db.Registry.ClaimLease(w.ctx(), name, epoch)
	must(w.t, err)
}
