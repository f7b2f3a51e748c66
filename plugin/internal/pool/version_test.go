package pool

import (
	"testing"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// newer is the last component of a version that is newer than the built-in one.
func newer() uint32 { return wastore.GetWAVersion()[2] + 10 }

func refreshing(o *Options) { o.RefreshVersion = true }

// TestOutdatedClientRenewsItself: WhatsApp refuses the built-in version and publishes a newer one. Nobody
// has to act, and after a restart the page with the version is not read again.
func TestOutdatedClientRenewsItself(t *testing.T) {
	newer := newer()
	w := newWorld(t, wasim.Options{Revision: newer, Oldest: newer - 5})
	w.adopt(1)
	p := w.open(refreshing)
	i, err := p.Get("shop-001")
	must(t, err)
	w.until(i, "connected", in(Connected))
	if _, _, err := w.pair(p, 2); err != nil {
		t.Errorf("pairing: %v", err)
	}
	must(t, p.Close(w.ctx()))
	if got := p.web.current()[2]; got != newer || w.sim.Pages() != 1 {
		t.Errorf("version …%d after %d requests, want …%d after one", got, w.sim.Pages(), newer)
	}

	p = w.open(refreshing)
	i, err = p.Get("shop-001")
	must(t, err)
	w.until(i, "connected after a restart", in(Connected))
	if w.sim.Pages() != 1 {
		t.Errorf("%d requests, want the answer from the store", w.sim.Pages())
	}
}

// TestPairingRenewsTheVersion: a new instance can be paired in spite of that, too.
func TestPairingRenewsTheVersion(t *testing.T) {
	newer := newer()
	w := newWorld(t, wasim.Options{Revision: newer, Oldest: newer})
	p := w.open(nil)
	p.opts.RefreshVersion = true // set so late that the first attempt is refused
	if _, _, err := w.pair(p, 1); err != nil {
		t.Fatal(err)
	}
	if w.sim.Pages() != 1 {
		t.Errorf("%d requests, want one", w.sim.Pages())
	}
}

// TestOutdatedForGood: no newer version helps, or none may be looked up. The instance reports that and
// does not try again.
func TestOutdatedForGood(t *testing.T) {
	for _, c := range []struct {
		name    string
		refresh bool
		pages   int
	}{{"the announced version is refused, too", true, 1}, {"refreshVersion is off", false, 0}} {
		t.Run(c.name, func(t *testing.T) {
			newer := newer()
			w := newWorld(t, wasim.Options{Revision: newer, Oldest: newer + 1})
			device := w.adopt(1)
			p := w.open(func(o *Options) { o.RefreshVersion = c.refresh })
			i, err := p.Get("shop-001")
			must(t, err)
			if s := w.until(i, "refused for good", func(s Status) bool { return s.State == Disconnected && trouble(codeOutdated)(s) }); s.Trouble.Message == "" {
				t.Error("no next step is told")
			}
			if device.Logins() != 0 || w.sim.Pages() != c.pages {
				t.Errorf("%d logins, %d requests for the page", device.Logins(), w.sim.Pages())
			}
		})
	}
}
