package node

import (
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

func TestOneMessagePerKey(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), Key: "order-17"}
	first, err := w.node.Execute(w.ctx(), r, nil)
	w.must(err)
	again, err := w.node.Execute(w.ctx(), r, nil)
	w.must(err)
	if !again.Replayed || first.Replayed || string(again.Output) != string(first.Output) {
		t.Errorf("the repeat answered %s (replayed %v), not %s", again.Output, again.Replayed, first.Output)
	}
	if got := outputOf(t, first).MessageID; got != w.sentAs("order-17") {
		t.Errorf("the key has the message id %s, and not %s", w.sentAs("order-17"), got)
	}

	other := r
	other.Input = raw(t, menuTo("5511988880002"))
	if p := problemOf(t, w.execute(other, nil)); p.Code != "idempotency_mismatch" || p.HTTPStatus != 422 || p.Effect != sdk.EffectNone {
		t.Errorf("another request under the key: %+v", p)
	}

	w.shut()
	w.start() // the outcome is on disk
	later, err := w.node.Execute(w.ctx(), r, nil)
	w.must(err)
	if !later.Replayed || string(later.Output) != string(first.Output) {
		t.Errorf("after a restart the repeat answered %s", later.Output)
	}
	if rec, _ := w.sim.Record(outputOf(t, first).MessageID); len(rec.Attempts) != 1 || len(ana.Inbox()) != 1 {
		t.Errorf("%d messages left", len(rec.Attempts))
	}
}

// TestLostAck: it is not known whether the message arrived, until its receipt comes.
func TestLostAck(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{DropAck: true}})
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), Key: "k"}
	p := problemOf(t, w.execute(r, nil))
	if p.Code != "send_failed" || p.Effect != sdk.EffectUnknown || !p.Retryable {
		t.Errorf("problem = %+v", p)
	}
	res, err := w.node.Execute(w.ctx(), r, nil)
	w.must(err)
	m, err := ana.WaitID(w.ctx(), outputOf(t, res).MessageID)
	w.must(err)
	if len(ana.Inbox()) != 1 || m.Biz != 1 {
		t.Errorf("Ana sees %+v", ana.Inbox())
	}
}

func TestInFlight(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	menu := menuTo(anaNumber)
	menu["delay"] = 1
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: "k"}
	typing, done := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		_, err := w.node.Execute(w.ctx(), r, func(p client.Progress) {
			if p.Stage == "typing" {
				typing <- struct{}{}
			}
		})
		done <- err
	}()
	select {
	case <-typing:
	case err := <-done:
		t.Fatalf("the first call ended without typing: %v", err)
	}
	if p := problemOf(t, w.execute(r, nil)); p.Code != "in_flight" || p.HTTPStatus != 409 || !p.Retryable {
		t.Errorf("problem = %+v", p)
	}
	w.must(<-done)
}

func TestStaleEpoch(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), LeaseEpoch: 7}
	w.must(w.execute(r, nil))
	r.LeaseEpoch = 6
	if p := problemOf(t, w.execute(r, nil)); p.Code != "stale_epoch" || p.Effect != sdk.EffectNone {
		t.Errorf("problem = %+v", p)
	}
}

func outputOf(t *testing.T, r client.Result) send.Output {
	t.Helper()
	var out send.Output
	unmarshal(t, r.Output, &out)
	return out
}

// TestKeysPerInstance: a key used by one instance does not affect another.
func TestKeysPerInstance(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.pair("bar", "551130000002")
	seen := map[string]bool{}
	for _, instance := range []string{"shop", "bar"} {
		var out send.Output
		w.must(w.execute(client.Request{Operation: send.OpText, Key: "order-17",
			Input: raw(t, obj{"instance": instance, "number": anaNumber, "contentText": "from " + instance})}, &out))
		m, err := ana.WaitID(w.ctx(), out.MessageID)
		w.must(err)
		seen[m.Text] = true
	}
	if !seen["from shop"] || !seen["from bar"] {
		t.Errorf("Ana reads %v", seen)
	}
}
