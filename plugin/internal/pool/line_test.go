package pool

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// TestConnectedMeansDelivering: while WhatsApp refuses to deliver after the login, the instance reports
// that and does not count as connected. Once WhatsApp delivers, it does.
func TestConnectedMeansDelivering(t *testing.T) {
	for _, code := range []int{429, 500, 503} {
		var refusals atomic.Int32
		w := newWorld(t, wasim.Options{OnFault: func(e wasim.FaultEvent) wasim.Fault {
			if e.Stage == wasim.StageIQ && e.Type == "passive" && refusals.Add(1) <= 2 { // whatsmeow's own query, and ours
				return wasim.Fault{IQError: &wasim.IQError{Code: code, Text: "no"}}
			}
			return wasim.Fault{}
		}})
		device := w.adopt(1)
		var seen atomic.Int32
		p := w.open(func(o *Options) {
			o.Notify = func(_ string, s Status) {
				if trouble(codeDeaf)(s) {
					seen.Add(1)
				}
				if s.State == Connected && refusals.Load() < 3 {
					t.Errorf("%d: connected before WhatsApp agreed to deliver", code)
				}
			}
		})
		i, err := p.Get("shop-001")
		must(t, err)
		w.until(i, "connected", in(Connected))
		if seen.Load() == 0 || device.Logins() != 2 {
			t.Errorf("%d: told %d times, %d logins", code, seen.Load(), device.Logins())
		}
		must(t, p.Close(w.ctx()))
	}
}

// TestLoginsThatDoNotLast: if connections end right after each login, the instance reports that, also
// while it is connected, until a connection has lasted.
func TestLoginsThatDoNotLast(t *testing.T) {
	for name, end := range map[string]wasim.Fault{
		"503": {StreamError: &wasim.StreamError{Code: 503}},
		"500": {StreamError: &wasim.StreamError{Code: 500}},
		"515": {StreamError: &wasim.StreamError{Code: 515}},
		"cut": {Disconnect: wasim.After},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bad atomic.Bool
			bad.Store(true)
			w := newWorld(t, wasim.Options{OnFault: func(e wasim.FaultEvent) wasim.Fault {
				if bad.Load() && e.Stage == wasim.StageIQ && e.Type == "passive" {
					return end
				}
				return wasim.Fault{}
			}})
			device := w.adopt(1)
			// Only the logins: two concurrent requests race for exsync.Event in whatsmeow when their
			// connection ends, and -race reports it.
			device.Hold(true)
			// Longer than a login and its end take even on a busy machine.
			p := w.open(func(o *Options) { o.Limits.Lasting = 6 * time.Second })
			i, err := p.Get("shop-001")
			must(t, err)
			w.until(i, "told", trouble(codeUnstable))
			if n := device.Logins(); n > 2*flapping { // it may have been reported a login or two before this test sees it
				t.Errorf("%d logins before it was told", n)
			}
			bad.Store(false)
			device.Hold(false)
			w.until(i, "connected and still doubted", func(s Status) bool { return s.State == Connected && trouble(codeUnstable)(s) })
			w.until(i, "trusted again", func(s Status) bool { return s.State == Connected && s.Trouble == nil })
		})
	}
}

// TestAskedToSlowDown: after a 429, at the login or later, the pool waits for minutes. A caller that
// connects the instance meanwhile gets the reason at once.
func TestAskedToSlowDown(t *testing.T) {
	for name, rule := range map[string]wasim.FaultRule{
		"at the login": {Match: wasim.FaultMatch{Stage: wasim.StageLogin}, Action: wasim.Fault{LoginFailure: &wasim.LoginFailure{Reason: 429}}},
		"behind it": {Match: wasim.FaultMatch{Stage: wasim.StageIQ, Type: "passive"},
			Action: wasim.Fault{StreamError: &wasim.StreamError{Code: 429}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, wasim.Options{})
			_, err := w.sim.AddFault(rule)
			must(t, err)
			w.adopt(1)
			p := w.open(nil)
			i, err := p.Get("shop-001")
			must(t, err)
			s := w.until(i, "told", trouble(codeSlow))
			if wait := s.Trouble.Until.Sub(s.Trouble.At); s.State != Connecting || wait < slowRetry/2 {
				t.Errorf("%+v, again after %s", s, wait)
			}
			if err := i.Connect(w.ctx(), "", func(Prompt) {}); err == nil {
				t.Error("Connect reports success")
			}
			s = w.until(i, "told again", func(now Status) bool { return trouble(codeSlow)(now) && now.Trouble.At.After(s.Trouble.At) })
			if wait := s.Trouble.Until.Sub(s.Trouble.At); wait < slowRetry {
				t.Errorf("the second time it is tried again after %s", wait)
			}
			w.sim.ClearFaults()
			must(t, i.Connect(w.ctx(), "", func(Prompt) {}))
		})
	}
}
