package node

import (
	"context"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// watch follows the health of the instance "shop" until the test ends.
func (w *world) watch() *vitals {
	v := &vitals{news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	node := w.node
	watching.Go(func() {
		_ = node.WatchHealth(ctx, func(h sdk.Health) { // ends with the node or the test
			if h.Subject == "shop" {
				v.add(h)
			}
		})
	})
	w.t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
	return v
}

// vitals is the history of one subject.
type vitals struct {
	mu   sync.Mutex
	seen []sdk.Health
	news chan struct{}
}

func (v *vitals) add(h sdk.Health) {
	v.mu.Lock()
	v.seen = append(v.seen, h)
	v.mu.Unlock()
	select {
	case v.news <- struct{}{}:
	default:
	}
}

// until waits for a state, among those not examined yet.
func (v *vitals) until(t *testing.T, ctx context.Context, what string, ok func(sdk.Health) bool) sdk.Health {
	t.Helper()
	for {
		v.mu.Lock()
		for len(v.seen) > 0 {
			h := v.seen[0]
			v.seen = v.seen[1:]
			if ok(h) {
				v.mu.Unlock()
				return h
			}
		}
		v.mu.Unlock()
		select {
		case <-v.news:
		case <-ctx.Done():
			t.Fatalf("the instance never was %s", what)
		}
	}
}

func reason(code string) func(sdk.Health) bool {
	return func(h sdk.Health) bool { return h.Reason == code }
}

func healthy(h sdk.Health) bool { return h.State == sdk.Healthy }

// TestEndsOfAConnection: the reason why a connection ended is reported by name, and a connection
// that can come back by itself does.
func TestEndsOfAConnection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		end    func(w *world, d *wasim.Device)
		reason string
		state  sdk.HealthState
		back   bool
	}{
		{"the line drops", func(_ *world, d *wasim.Device) { d.Drop() }, "connection_lost", sdk.Degraded, true},
		{"the server restarts", func(_ *world, d *wasim.Device) { d.StreamError(503) }, "connection_lost", sdk.Degraded, true},
		{"the server asks for a new login", func(_ *world, d *wasim.Device) { d.StreamError(515) }, "connection_lost", sdk.Degraded, true},
		{"another process took the session", func(_ *world, d *wasim.Device) { d.Replaced() }, "replaced", sdk.Unhealthy, false},
		{"the phone removed the device", func(_ *world, d *wasim.Device) { d.Logout() }, "logged_out", sdk.Unhealthy, false},
		{"a ban", func(w *world, d *wasim.Device) {
			w.fault(loginFailure(wasim.LoginFailure{Reason: 402, Code: 101, Expire: 3600}))
			d.Drop()
		}, "banned", sdk.Degraded, false},
		{"the client is too old", func(w *world, d *wasim.Device) {
			w.fault(loginFailure(wasim.LoginFailure{Reason: 405}))
			d.Drop()
		}, "client_outdated", sdk.Unhealthy, false},
		{"a login that is not understood", failing(wasim.LoginFailure{Reason: 400}), "connect_failure", sdk.Degraded, false},
		{"a client that is not wanted", failing(wasim.LoginFailure{Reason: 409}), "client_outdated", sdk.Unhealthy, false},
		{"a device that is not found", failing(wasim.LoginFailure{Reason: 415}), "connect_failure", sdk.Degraded, false},
		{"a refusal without a name", failing(wasim.LoginFailure{Reason: 418}), "connect_failure", sdk.Unhealthy, false},
		{"too many logins", failing(wasim.LoginFailure{Reason: 429}), "slow_down", sdk.Degraded, false},
		{"a client that is not served", failing(wasim.LoginFailure{Reason: 501}), "connect_failure", sdk.Degraded, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wasim.Options{})
			account := w.pair("shop", shopNumber)
			v := w.watch()
			v.until(t, w.ctx(), "healthy", healthy)
			c.end(w, account.Linked()[0])
			if h := v.until(t, w.ctx(), c.reason, reason(c.reason)); h.State != c.state || h.Message == "" {
				t.Errorf("health = %+v", h)
			}
			if c.back {
				v.until(t, w.ctx(), "healthy again", healthy)
				return
			}
			p := problemOf(t, w.call(send.OpText, obj{"instance": "shop", "number": anaNumber, "contentText": "hi"}, nil))
			if p.Code != "disconnected" || p.Effect != sdk.EffectNone {
				t.Errorf("a send meanwhile: %+v", p)
			}
			w.sim.ClearFaults()
			if c.reason == "logged_out" {
				w.link("shop", account)
			} else {
				w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
			}
			v.until(t, w.ctx(), "healthy again", healthy)
		})
	}
}

// TestStatesOutliveTheProcess: the reason why a connection ended for good is reported, with the
// next step, in the list and in the health, by the next process, too.
func TestStatesOutliveTheProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		end   func(w *world, d *wasim.Device)
		state pool.State
		code  string
		until bool
	}{
		{"another process took the session", func(_ *world, d *wasim.Device) { d.Replaced() }, pool.Replaced, "replaced", false},
		{"the phone removed the device", func(_ *world, d *wasim.Device) { d.Logout() }, pool.LoggedOut, "logged_out", false},
		{"the account's main device is gone", failing(wasim.LoginFailure{Reason: 403}), pool.LoggedOut, "logged_out", false},
		{"the session is unknown", failing(wasim.LoginFailure{Reason: 406}), pool.LoggedOut, "logged_out", false},
		{"a ban", failing(wasim.LoginFailure{Reason: 402, Code: 101, Expire: 3600}), pool.Banned, "banned", true},
		{"the client is too old", failing(wasim.LoginFailure{Reason: 405}), pool.Disconnected, "client_outdated", false},
		{"the login token is refused", failing(wasim.LoginFailure{Reason: 413}), pool.Disconnected, "connect_failure", false},
		{"a refusal without a name", failing(wasim.LoginFailure{Reason: 418}), pool.Disconnected, "connect_failure", false},
		{"too many logins", failing(wasim.LoginFailure{Reason: 429}), pool.Connecting, "slow_down", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, wasim.Options{})
			account := w.pair("shop", shopNumber)
			v := w.watch()
			v.until(t, w.ctx(), "healthy", healthy)
			c.end(w, account.Linked()[0])
			before := v.until(t, w.ctx(), c.code, reason(c.code))
			w.shut()
			w.start()
			var all allInstances
			w.must(w.call("whatsapp.instance.list@1", nil, &all))
			got := all.Instances[0]
			if got.State != c.state || got.LastError == nil || got.LastError.Code != c.code || got.LastError.Message != before.Message || (got.LastError.Until != nil) != c.until {
				t.Errorf("after a restart: %+v, %+v", got, got.LastError)
			}
			after := w.watch().until(t, w.ctx(), c.code+" after a restart", reason(c.code))
			if after.State != before.State || after.Message != before.Message {
				t.Errorf("health = %+v, and before the restart %+v", after, before)
			}
		})
	}
}

// failing makes every login fail from now on.
func failing(f wasim.LoginFailure) func(*world, *wasim.Device) {
	return func(w *world, d *wasim.Device) {
		w.fault(loginFailure(f))
		d.Drop()
	}
}

func loginFailure(f wasim.LoginFailure) wasim.FaultRule {
	return wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageLogin, Type: "login"}, Action: wasim.Fault{LoginFailure: &f}}
}
