package pool

import (
	"sync"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// gate counts the clients that are between handshake and login, as the server sees it, and makes the
// server refuse the first handshakes and logins.
type gate struct {
	mu           sync.Mutex
	inside, most int
	handshakes   int
	refuseLogins int
	refused      int
}

func (g *gate) event(e wasim.FaultEvent) wasim.Fault {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch e.Stage {
	case wasim.StageHandshake:
		g.handshakes++
		g.inside++
		g.most = max(g.most, g.inside)
	case wasim.StageLogin:
		g.inside--
		if g.refuseLogins > 0 {
			g.refuseLogins--
			g.refused++
			// It refuses with a stanza, because whatsmeow's own goroutines race when the socket closes in the
			// middle of a login.
			return wasim.Fault{LoginFailure: &wasim.LoginFailure{Reason: 503}}
		}
	}
	return wasim.Fault{}
}

func (g *gate) reset(refuseLogins int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most, g.handshakes, g.refused, g.refuseLogins = 0, 0, 0, refuseLogins
}

func (g *gate) count() (most, handshakes, refused int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most, g.handshakes, g.refused
}

// TestFleet: a process that starts with many instances dials a few at a time, and all of them log in
// at the first attempt. After the server has refused all logins for a while, all of them come back.
func TestFleet(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of logins take some seconds")
	}
	g := &gate{}
	w := newWorld(t, wasim.Options{OnFault: g.event})
	devices := make([]*wasim.Device, fleet)
	for n := range devices {
		devices[n] = w.adopt(n)
	}

	p := w.open(nil)
	for _, i := range p.List() {
		w.until(i, "connected", in(Connected))
	}
	if most, handshakes, _ := g.count(); most > maxDialing || handshakes != fleet {
		t.Errorf("%d instances dialled %d times and %d at once, want once each and %d at once at most", fleet, handshakes, most, maxDialing)
	}

	const away = fleet / 2 // logins that are refused
	g.reset(away)
	for _, d := range devices {
		d.Drop()
	}
	for n, i := range p.List() {
		w.until(i, "connected again", func(s Status) bool { return s.State == Connected && devices[n].Logins() == 2 })
	}
	if most, handshakes, refused := g.count(); most > maxDialing || refused != away || handshakes != fleet+away {
		t.Errorf("%d instances dialled %d times, %d at once, and %d were sent away; want %d, %d at most, %d", fleet, handshakes, most, refused, fleet+away, maxDialing, away)
	}
}
