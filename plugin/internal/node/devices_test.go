package node

import (
	"context"
	big "encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"go.mau.fi/libsignal/ecc"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/plugin/wasim/bare"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// noKeys refuses this many key queries of the shop; 0: all.
func noKeys(times int) wasim.FaultRule {
	return wasim.FaultRule{Times: times, Match: wasim.FaultMatch{Stage: wasim.StageIQ, Account: shopNumber, Type: "encrypt"},
		Action: wasim.Fault{IQError: &wasim.IQError{Code: 503}}}
}

// TestNobodyCouldReadIt: a message is sent only if a device of the recipient can read it, whatever
// the message and the destination are.
func TestNobodyCouldReadIt(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	bob := w.customer(bobNumber)
	team, err := w.sim.NewGroup("Team", w.sim.Account(shopNumber), bob.Account())
	w.must(err)
	for _, c := range []struct {
		name, operation string
		input           obj
		phone           *wasim.Phone
	}{
		{"a menu", send.OpButtons, menuTo(anaNumber), ana},
		{"a text into a group", send.OpText, textTo(team.JID().String()), bob},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.fault(noKeys(2)) // the node's own query, and whatsmeow's after it
			before := w.left()
			r := client.Request{Operation: c.operation, Input: raw(t, c.input), Key: "k"}
			if p := problemOf(t, w.execute(r, nil)); p.Code != "send_failed" || p.Effect != sdk.EffectNone || !p.Retryable {
				t.Errorf("problem = %+v", p)
			}
			if n := w.left() - before; n != 0 {
				t.Errorf("%d messages left", n)
			}
			w.sim.ClearFaults()
			var out send.Output
			w.must(w.execute(r, &out))
			m, err := c.phone.WaitID(w.ctx(), out.MessageID)
			w.must(err)
			if m.Retry != 0 || m.Copies != 1 {
				t.Errorf("shown %+v", m)
			}
		})
	}
}

// companion links a second device to a customer and says which messages it can read.
func (w *world) companion(p *wasim.Phone) <-chan types.MessageID {
	w.t.Helper()
	s, err := bare.Open(w.ctx(), bare.Options{File: filepath.Join(w.t.TempDir(), "bare.db"), Sync: bare.Off, Server: w.sim.URL(), RootKey: w.sim.RootKey()})
	w.must(err)
	c, err := s.Pair(w.ctx(), p.Account())
	w.must(err)
	w.t.Cleanup(func() {
		c.Disconnect()
		w.must(s.Close())
	})
	read := make(chan types.MessageID, 16)
	c.OnMessage(func(m *bare.Message) { read <- m.Info.ID })
	return read
}

// TestMissedDevice: a device whose keys WhatsApp did not give is reported, and gets the message all
// the same.
func TestMissedDevice(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.must(w.call(send.OpText, textTo(anaNumber), nil))
	read := w.companion(ana)
	w.must(w.call(send.OpText, textTo(anaNumber), nil)) // its acknowledgement says that there are more devices now
	w.fault(noKeys(1))
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), Key: "k"}
	var id types.MessageID
	for repeat := range 2 {
		res, err := w.node.Execute(w.ctx(), r, nil)
		w.must(err)
		if len(res.Warnings) != 1 || res.Warnings[0].Code != "partly_sent" || res.Replayed != (repeat > 0) {
			t.Errorf("repeat %d: %+v", repeat, res)
		}
		id = outputOf(t, res).MessageID
	}
	m, err := ana.WaitID(w.ctx(), id)
	w.must(err)
	if m.Copies != 1 {
		t.Errorf("the phone has %d copies", m.Copies)
	}
	for got := ""; got != id; {
		select {
		case got = <-read:
		case <-w.ctx().Done():
			t.Fatal("the companion never got the menu")
		}
	}
	rec, _ := w.sim.Record(id)
	if last := rec.Attempts[len(rec.Attempts)-1]; len(rec.Attempts) != 2 || last.Biz() != 1 || last.To.Device == 0 {
		t.Errorf("%d stanzas, the last %+v", len(rec.Attempts), last)
	}
}

// forgets makes a phone lose its sessions with the shop, as a new installation does.
func forgets(ctx context.Context, p *wasim.Phone, account *wasim.Account) error {
	return p.Client().Store.Sessions.DeleteAllSessions(ctx, account.LID().SignalAddressUser())
}

// TestKeysInRetryReceipt: a device that has lost its session and sends its new keys gets the
// message with the first answer, without a key query.
func TestKeysInRetryReceipt(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.writes(ana, "hello")
	w.must(forgets(w.ctx(), ana, w.sim.Account(shopNumber)))
	w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageDelivery, Account: anaNumber}, Times: 1, Action: wasim.Fault{DropDelivery: true}})
	w.fault(noKeys(0))
	var out send.Output
	w.must(w.call(send.OpButtons, menuTo(anaNumber), &out))

	keys := ana.Client().Store
	once, err := keys.PreKeys.GenOnePreKey(w.ctx())
	w.must(err)
	number := func(id uint32) []byte { return big.BigEndian.AppendUint32(nil, id)[1:] }
	device := w.sim.Account(shopNumber).Linked()[0].LID()
	w.must(ana.Client().DangerousInternals().SendNode(w.ctx(), waBinary.Node{
		Tag: "receipt", Attrs: waBinary.Attrs{"to": device, "id": out.MessageID, "type": "retry"},
		Content: []waBinary.Node{
			{Tag: "retry", Attrs: waBinary.Attrs{"count": 1, "id": out.MessageID, "t": time.Now().Unix(), "v": 1}},
			{Tag: "registration", Content: big.BigEndian.AppendUint32(nil, keys.RegistrationID)},
			{Tag: "keys", Content: []waBinary.Node{
				{Tag: "type", Content: []byte{ecc.DjbType}},
				{Tag: "identity", Content: keys.IdentityKey.Pub[:]},
				{Tag: "key", Content: []waBinary.Node{{Tag: "id", Content: number(once.KeyID)}, {Tag: "value", Content: once.Pub[:]}}},
				{Tag: "skey", Content: []waBinary.Node{
					{Tag: "id", Content: number(keys.SignedPreKey.KeyID)}, {Tag: "value", Content: keys.SignedPreKey.Pub[:]},
					{Tag: "signature", Content: keys.SignedPreKey.Signature[:]},
				}},
			}},
		},
	}))
	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	if m.Biz != 1 || len(m.Buttons) != 2 {
		t.Errorf("Ana sees %+v", m)
	}
	if rec, _ := w.sim.Record(out.MessageID); len(rec.Attempts) != 2 {
		t.Errorf("%d stanzas", len(rec.Attempts))
	}
}

// TestLostSession: phones that run whatsmeow send their keys with the second retry receipt; no key
// query is needed then either.
func TestLostSession(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	w.writes(ana, "hello")
	w.fault(noKeys(0))
	for _, operation := range []string{send.OpButtons, send.OpText} {
		w.must(forgets(w.ctx(), ana, w.sim.Account(shopNumber)))
		input := textTo(anaNumber)
		if operation == send.OpButtons {
			input = menuTo(anaNumber)
		}
		var out send.Output
		w.must(w.call(operation, input, &out))
		m, err := ana.WaitID(w.ctx(), out.MessageID)
		w.must(err)
		if m.Copies != 1 || m.Retry == 0 {
			t.Errorf("%s: Ana sees %+v", operation, m)
		}
	}
}
