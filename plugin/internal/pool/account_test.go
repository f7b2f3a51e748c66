package pool

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// TestTwins: two instances of one account both report that, until one of them is gone.
func TestTwins(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	p := w.open(nil)
	first, account, err := w.pair(p, 1)
	must(t, err)
	second, err := p.Create(w.ctx(), "again")
	must(t, err)
	must(t, w.link(second, account))
	third, _, err := w.pair(p, 3)
	must(t, err)
	for _, i := range []*Instance{first, second} {
		if s := w.until(i, "told", trouble(codeTwin)); s.State != Connected {
			t.Errorf("%s: %+v", i.Name(), s)
		}
	}
	if s := third.Status(); s.Trouble != nil {
		t.Errorf("an account of its own: %+v", s.Trouble)
	}
	account.Linked()[0].Drop()
	w.until(first, "told again", trouble(codeTwin))
	must(t, second.Logout(w.ctx()))
	w.until(first, "on its own", func(s Status) bool { return s.State == Connected && s.Trouble == nil })
}

// TestAnotherAccount: the pool reports when an instance has another account than before, and only
// then.
func TestAnotherAccount(t *testing.T) {
	var changes atomic.Int32
	w := newWorld(t, wasim.Options{})
	p := w.open(func(o *Options) { o.Changed = func(context.Context, string) { changes.Add(1) } })
	i, account, err := w.pair(p, 1)
	must(t, err)
	must(t, i.Logout(w.ctx()))
	must(t, w.link(i, account))
	if n := changes.Load(); n != 0 {
		t.Errorf("%d changes of the account with the same one", n)
	}
	must(t, i.Logout(w.ctx()))
	other, err := w.sim.NewAccount("551140000002")
	must(t, err)
	must(t, w.link(i, other))
	if n := changes.Load(); n != 1 {
		t.Errorf("%d changes of the account, want 1", n)
	}
}
