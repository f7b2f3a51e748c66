package node

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/send"

	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// steps waits for changes and writes them as "from>to".
func (w *world) steps(s *client.Subscription, n int) (list []string, last send.Status) {
	w.t.Helper()
	for range n {
		last = send.Status{}
		if e := w.next(s, &last); e.Correlation != "" || e.Type != send.TypeStatus || e.Subject != "shop" {
			w.t.Errorf("event = %+v", e)
		}
		list = append(list, last.From+">"+last.To)
	}
	return list, last
}

// message looks a message up.
func (w *world) message(query obj) (m send.Sent) {
	w.t.Helper()
	query["instance"] = "shop"
	w.must(w.call("whatsapp.message.get@1", query, &m))
	return m
}

// sentAs returns the id of the message that was sent for a key.
func (w *world) sentAs(key string) types.MessageID { return w.message(obj{"key": key}).MessageID }

func states(m send.Sent) (list []string) {
	for _, h := range m.History {
		list = append(list, h.State)
	}
	return list
}

// TestStatusOfAMessage: sent, delivered, read, as events and by both names.
func TestStatusOfAMessage(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	all := w.subscribe(opMessageStatus, nil)
	onlyRead, err := w.node.Subscribe(w.ctx(), client.Start{Operation: opMessageStatus, Subscriber: "reads",
		Filter: raw(t, obj{"instances": []string{"shop"}, "states": []string{"read"}, "sources": []string{"crm"}})})
	w.must(err)
	ana.Disconnect()
	text := obj{"instance": "shop", "number": anaNumber, "contentText": "hi"}
	w.must(w.call(send.OpText, text, nil)) // without a source
	menu := menuTo(anaNumber)
	menu["source"] = "crm"
	var out send.Output
	w.must(w.execute(client.Request{Operation: send.OpButtons, Input: raw(t, menu), Key: "order-17", Correlation: "run-1"}, &out))
	for _, want := range []string{"hi", menu["contentText"].(string)} {
		got, first := w.steps(all, 1)
		if got[0] != "intent>sent" || first.Content == nil || *first.Content != want || first.Sender == nil || *first.Sender.Phone != shopNumber {
			t.Errorf("while Ana is away: %v %+v", got, first)
		}
		if first.MessageID == out.MessageID && !first.At.Equal(out.SentAt) {
			t.Errorf("sent at %v, told at %v", out.SentAt, first.At)
		}
	}
	w.must(ana.Connect(w.ctx()))
	w.steps(all, 2)
	m, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	w.must(ana.Read(w.ctx(), m))
	w.must(ana.Read(w.ctx(), m)) // again: no second event
	_, s := w.steps(onlyRead, 1)
	if s.MessageID != out.MessageID || s.From != "delivered" || s.Operation != send.OpButtons || s.Source != "crm" || s.Correlation != "run-1" ||
		s.Chat.JID != ana.LID().String() || *s.Chat.Phone != anaNumber || s.Recipient != nil || s.Problem != nil || s.Sender != nil || s.Content != nil {
		t.Errorf("read = %+v", s)
	}
	w.steps(all, 1)
	w.writes(ana, "thanks") // after the second receipt
	w.must(w.call(send.OpText, text, nil))
	if got, s := w.steps(all, 1); s.MessageID == out.MessageID {
		t.Errorf("after a repeated receipt: %v", got)
	}

	for _, query := range []obj{{"messageId": out.MessageID}, {"key": "order-17"}} {
		m := w.message(query)
		if m.MessageID != out.MessageID || m.State != "read" || len(states(m)) != 4 || m.History[1].State != "sent" || m.Correlation != "run-1" || m.ReplacedBy != nil {
			t.Errorf("by %v: %+v", query, m)
		}
	}
	for _, query := range []obj{{}, {"messageId": "3EB0AA", "key": "k"}} {
		query["instance"] = "shop"
		if p := problemOf(t, w.call("whatsapp.message.get@1", query, nil)); p.HTTPStatus != 400 {
			t.Errorf("%v: %+v", query, p)
		}
	}
	for _, query := range []obj{{"instance": "shop", "messageId": "3EB0AA"}, {"instance": "other", "key": "order-17"}} {
		if p := problemOf(t, w.call("whatsapp.message.get@1", query, nil)); p.Code != "message_not_found" || p.HTTPStatus != 404 {
			t.Errorf("%v: %+v", query, p)
		}
	}
}

// TestReceiptSettlesUnknown: no acknowledgement came; a receipt shows the outcome of the send, also
// after a restart.
func TestReceiptSettlesUnknown(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	status := w.subscribe(opMessageStatus, nil)
	ana.Disconnect()
	w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{DropAck: true}})
	r := client.Request{Operation: send.OpButtons, Input: raw(t, menuTo(anaNumber)), Key: "k"}
	problemOf(t, w.execute(r, nil))
	if got, _ := w.steps(status, 1); got[0] != "intent>unknown" {
		t.Errorf("told %v", got)
	}
	w.shut()
	w.start()
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
	w.must(ana.Connect(w.ctx()))
	status = w.subscribe(opMessageStatus, nil)
	got, _ := w.steps(status, 1)
	if got[0] == "intent>unknown" { // it was not acknowledged before the node ended
		got, _ = w.steps(status, 1)
	}
	if got[0] != "unknown>delivered" {
		t.Errorf("told %v", got)
	}
	res, err := w.node.Execute(w.ctx(), r, nil)
	w.must(err)
	if m := w.message(obj{"key": "k"}); !res.Replayed || m.State != "delivered" || len(states(m)) != 3 || len(ana.Inbox()) != 1 {
		t.Errorf("replayed %v, message %+v", res.Replayed, m)
	}
}

// TestStatusOfAFailure: the event names the number and the next step.
func TestStatusOfAFailure(t *testing.T) {
	t.Parallel()
	w, _ := shop(t, wasim.Options{})
	status := w.subscribe(opMessageStatus, obj{"states": []string{"failed"}})
	for ack, want := range map[int]string{473: "shape_refused", 499: "refused"} {
		w.fault(wasim.FaultRule{Match: toAna, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: ack}}})
		problemOf(t, w.call(send.OpButtons, menuTo(anaNumber), nil))
		_, s := w.steps(status, 1)
		if s.Problem == nil || s.Problem.Code != want || s.Problem.Ack != ack || s.Problem.NextStep == "" || s.Problem.Message == "" {
			t.Errorf("%d: %+v", ack, s.Problem)
		}
		if m := w.message(obj{"messageId": s.MessageID}); m.State != "failed" || m.Problem == nil || *m.Problem != *s.Problem {
			t.Errorf("%d: %+v", ack, m)
		}
	}
}

// TestStatusInAGroup: reports which members have the message and which have read it.
func TestStatusInAGroup(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	bob := w.customer("5511988880002")
	team, err := w.sim.NewGroup("Team", w.sim.Account(shopNumber), ana.Account(), bob.Account())
	w.must(err)
	status := w.subscribe(opMessageStatus, obj{"states": []string{"delivered", "read"}})
	var out send.Output
	w.must(w.call(send.OpButtons, menuTo(team.JID().String()), &out))
	m, err := bob.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	got := map[string]int{}
	for range 2 {
		_, s := w.steps(status, 1)
		if s.From == "intent" { // the phone was faster than WhatsApp's acknowledgement
			s.From = "sent"
		}
		got[s.Recipient.JID+" "+s.From+">"+s.To]++
	}
	w.must(bob.Read(w.ctx(), m))
	_, s := w.steps(status, 1)
	got[s.Recipient.JID+" "+s.From+">"+s.To]++
	for _, want := range []string{ana.LID().String() + " sent>delivered", bob.LID().String() + " sent>delivered", bob.LID().String() + " delivered>read"} {
		if got[want] != 1 {
			t.Errorf("%s was told %d times: %v", want, got[want], got)
		}
	}
	found := w.message(obj{"messageId": out.MessageID})
	if found.State != "read" || len(found.Recipients) != 2 || found.Chat.JID != team.JID().String() {
		t.Errorf("message = %+v", found)
	}
}

// TestFilteredEventsAreFreed: events that a subscriber's filter leaves out are not kept for ever,
// and a subscriber that its host no longer names keeps nothing.
func TestFilteredEventsAreFreed(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	only := func(name string, all ...string) {
		ctx, cancel := context.WithCancel(context.Background())
		t.Cleanup(cancel)
		s, err := w.node.Subscribe(ctx, client.Start{Operation: opMessageStatus, Subscriber: name, Subscribers: all,
			Filter: raw(t, obj{"states": []string{"failed"}})})
		w.must(err)
		go func() { _, _ = s.Recv() }() // no event arrives
	}
	only("old")
	only("new", "new") // "old" is removed
	var out send.Output
	w.must(w.call(send.OpText, obj{"instance": "shop", "number": anaNumber, "contentText": "hi"}, &out))
	_, err := ana.WaitID(w.ctx(), out.MessageID)
	w.must(err)
	w.until(func() bool { return w.message(obj{"messageId": out.MessageID}).State == "delivered" })
	s, err := store.Open(t.Context(), store.Options{Dir: filepath.Join(w.dir, "store"), Retention: store.Retention{Acknowledged: time.Millisecond}})
	w.must(err)
	defer s.Close()
	w.until(func() bool {
		w.must(s.Sweep(t.Context()))
		left, err := s.Outbox.Read(t.Context(), nil, outbox.Filter{Types: []string{send.TypeStatus}}, 100)
		w.must(err)
		return len(left) == 0
	})
}
