package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// connecting runs a Connect in the background and returns the first QR code.
func (w *world) connecting(ctx context.Context, i *Instance) (qr string, result <-chan error) {
	w.t.Helper()
	shown, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- i.Connect(ctx, "", func(p Prompt) {
			if p.Stage == StageQR {
				select {
				case shown <- p.QR:
				default:
				}
			}
		})
	}()
	select {
	case qr = <-shown:
	case err := <-done:
		w.t.Fatalf("Connect ended without a code: %v", err)
	}
	return qr, done
}

// shop creates an instance, and an account to pair it with.
func (w *world) shop(p *Pool, n int) (*Instance, *wasim.Account) {
	w.t.Helper()
	account, err := w.sim.NewAccount(fmt.Sprintf("55113%08d", n))
	must(w.t, err)
	i, err := p.Create(w.ctx(), fmt.Sprintf("shop-%03d", n))
	must(w.t, err)
	return i, account
}

// TestLeaverOrphansNoDevice: the caller of Connect leaves at any moment around the phone's consent.
// Either the account lists no device and the instance is as new, or it lists one and the instance
// comes online with it.
func TestLeaverOrphansNoDevice(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	p := w.open(nil)
	for n := range 24 {
		i, account := w.shop(p, n)
		ctx, leave := context.WithCancel(w.ctx())
		qr, result := w.connecting(ctx, i)
		scanned := make(chan error, 1)
		go func() { scanned <- account.Scan(w.ctx(), qr) }()
		go func() {
			if n%4 != 0 { // some time after the device is linked; every fourth at once
				for len(account.Linked()) == 0 && ctx.Err() == nil {
					time.Sleep(10 * time.Microsecond)
				}
				time.Sleep(time.Duration(n) * 50 * time.Microsecond)
			}
			leave()
		}()
		err := <-result
		<-scanned
		leave()
		switch linked := len(account.Linked()); {
		case linked == 1:
			w.until(i, "connected", in(Connected))
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("round %d: %v", n, err)
			}
		case linked > 1 || i.Status().State != New || !errors.Is(err, context.Canceled):
			t.Errorf("round %d: %d devices, %+v, %v", n, linked, i.Status(), err)
		}
	}
}

// TestPairingConnectsAtOnce: after a pairing, the instance connects as soon as the server has hung up, and does not wait
// for the deadline for that.
func TestPairingConnectsAtOnce(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	i, account := w.shop(w.open(func(o *Options) { o.Limits.HangUp = time.Hour }), 1)
	must(t, w.link(i, account))
	w.until(i, "connected", in(Connected))
}

// TestPairingLeavesTheSupervisorsConnection: once a pairing has handed its client to the supervisor, it does not hang up
// any more, even if the supervisor has connected before the pairing's goroutine continues.
func TestPairingLeavesTheSupervisorsConnection(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	var i *Instance
	connected, adopting := make(chan struct{}), false
	online := sync.OnceFunc(func() { close(connected) })
	p := w.open(func(o *Options) {
		o.Notify = func(_ string, s Status) {
			switch {
			case s.State == Connected:
				online()
			case s.State == Connecting && !adopting: // set by the pairing, which waits here
				adopting = true
				i.mu.Lock()
				i.online = true
				i.mu.Unlock()
				i.stir()
				<-connected
			}
		}
	})
	var account *wasim.Account
	i, account = w.shop(p, 1)
	must(t, w.link(i, account))
	if cli := i.cli.Load(); !cli.IsConnected() || account.Linked()[0].Logins() != 1 {
		t.Errorf("connected %v, %d logins", cli.IsConnected(), account.Linked()[0].Logins())
	}
}

// TestStopPairing: a disconnect, a logout and a deletion each stop a pairing.
func TestStopPairing(t *testing.T) {
	for name, stop := range map[string]func(*Pool, *Instance, context.Context) error{
		"disconnect": func(_ *Pool, i *Instance, ctx context.Context) error { return i.Disconnect(ctx) },
		"logout":     func(_ *Pool, i *Instance, ctx context.Context) error { return i.Logout(ctx) },
		"delete":     func(p *Pool, i *Instance, ctx context.Context) error { return p.Delete(ctx, i.Name()) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, wasim.Options{})
			p := w.open(nil)
			i, account := w.shop(p, 1)
			qr, result := w.connecting(w.ctx(), i)
			must(t, stop(p, i, w.ctx()))
			if err := <-result; !errors.Is(err, ErrStopped) {
				t.Errorf("Connect = %v, want ErrStopped", err)
			}
			if err := account.Scan(w.ctx(), qr); err == nil {
				t.Error("the code still works")
			}
			if s := i.Status(); s.State != New {
				t.Errorf("status = %+v", s)
			}
		})
	}
}

// TestStopTooLate: the pairing is stopped around the moment when the phone agrees. After a logout the
// account lists no device, and after a disconnect none that the instance does not know.
func TestStopTooLate(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	p := w.open(nil)
	for n := range 16 {
		i, account := w.shop(p, n)
		qr, result := w.connecting(w.ctx(), i)
		scanned := make(chan error, 1)
		go func() { scanned <- account.Scan(w.ctx(), qr) }()
		for start := time.Now(); len(account.Linked()) == 0 && time.Since(start) < time.Duration(n)*time.Millisecond; {
			time.Sleep(10 * time.Microsecond)
		}
		logout := n%2 == 0
		if logout {
			must(t, i.Logout(w.ctx()))
		} else {
			must(t, i.Disconnect(w.ctx()))
		}
		err := <-result
		<-scanned
		linked := len(account.Linked())
		switch paired := i.cli.Load() != nil; {
		case logout && (linked > 0 || paired), paired != (linked == 1):
			t.Errorf("round %d: %d devices, paired %v, %+v, %v", n, linked, paired, i.Status(), err)
		case i.Status().State == Connected, i.wanted():
			t.Errorf("round %d: online after all: %+v", n, i.Status())
		}
	}
}

// TestCloseWaitsForPairing: a process that stops while an instance is being paired leaves neither a
// goroutine nor a device without an owner.
func TestCloseWaitsForPairing(t *testing.T) {
	w := newWorld(t, wasim.Options{})
	p := w.open(nil)
	i, account := w.shop(p, 1)
	qr, result := w.connecting(w.ctx(), i)
	must(t, p.Close(w.ctx()))
	if err := <-result; err == nil {
		t.Error("Connect reports success")
	}
	if err := account.Scan(w.ctx(), qr); err == nil {
		t.Error("the code still works")
	}
}
