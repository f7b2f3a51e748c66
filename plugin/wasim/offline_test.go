package wasim_test

import (
	"fmt"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// Messages for a phone that is away are acknowledged at once and delivered in order when it comes back.
func TestOfflineQueue(t *testing.T) {
	s := start(t, wasim.Options{Limits: wasim.Limits{Window: 4}}) // smaller than the queue: it must refill on acks
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	p.Disconnect()
	var sent []types.MessageID
	for i := range 20 {
		sent = append(sent, b.text(p.JID(), fmt.Sprint(i)))
	}
	if n := p.Device().Pending(); n < 20 {
		t.Fatalf("%d stanzas wait for the phone", n)
	}
	if err := p.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WaitID(ctx, sent[19]); err != nil {
		t.Fatal(err)
	}
	var shown []types.MessageID
	for _, m := range p.Inbox() {
		shown = append(shown, m.ID)
	}
	if !slices.Equal(shown, sent) {
		t.Errorf("shown as %v, sent as %v", shown, sent)
	}
	await(t, b, 0, func(e *events.Receipt) bool { return slices.Contains(e.MessageIDs, sent[19]) })
	rec, _ := s.Record(sent[7])
	if len(rec.Deliveries) != 2 || !rec.Deliveries[1].Offline && !rec.Deliveries[0].Offline { // the business' own phone is the other
		t.Errorf("deliveries %+v", rec.Deliveries)
	}
}

// What a client does not acknowledge comes again after a reconnect, with the client's buffer as plaintext.
func TestRedelivery(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	b.mu.Lock()
	b.refuse = func(ev any) bool { _, isMessage := ev.(*events.Message); return isMessage }
	b.mu.Unlock()
	id, err := p.SendText(ctx, b.account.JID(), "store me")
	if err != nil {
		t.Fatal(err)
	}
	of := func(e *events.Message) bool { return e.Info.ID == id }
	_, at := await(t, b, 0, of)
	b.mu.Lock()
	b.refuse = nil
	b.mu.Unlock()
	if !b.device().Drop() {
		t.Fatal("the business was not connected")
	}
	_, at = await(t, b, at, of)
	await(t, b, at, func(e *events.OfflineSyncCompleted) bool { return e.Count > 0 })
	rec, _ := s.Record(id)
	times := 0
	for _, d := range rec.Deliveries {
		if d.To == b.device().JID() {
			times++
		}
	}
	if times != 2 {
		t.Errorf("delivered %d times", times)
	}
}

// Receipts and messages wait in one queue and keep their order.
func TestMixedQueue(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	m, err := p.WaitID(ctx, b.text(p.JID(), "read me later"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.Receipt) bool { return slices.Contains(e.MessageIDs, m.ID) })
	b.cli.Disconnect()
	if err := p.Read(ctx, m); err != nil {
		t.Fatal(err)
	}
	id, err := p.SendText(ctx, b.account.JID(), "after reading")
	if err != nil {
		t.Fatal(err)
	}
	at := b.position()
	if err := b.cli.Connect(); err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, at, func(e *events.OfflineSyncPreview) bool { return e.Total > 0 })
	if ev.Messages != 1 || ev.Receipts == 0 {
		t.Errorf("preview %+v", ev)
	}
	_, read := await(t, b, at, func(e *events.Receipt) bool { return e.Type == types.ReceiptTypeRead })
	_, message := await(t, b, at, func(e *events.Message) bool { return e.Info.ID == id })
	if read > message {
		t.Error("the receipt came after the message that was sent after it")
	}
}

// A client that restarts from its database goes on with its sessions.
func TestRestartFromDatabase(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	if _, err := p.WaitID(ctx, b.text(p.JID(), "one")); err != nil {
		t.Fatal(err)
	}
	id, err := p.SendText(ctx, b.account.JID(), "answer")
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == id })
	b.cli.Disconnect()

	device, err := b.store.GetDevice(ctx, b.device().JID())
	if err != nil {
		t.Fatal(err)
	}
	at := b.position()
	b.use(s, whatsmeow.NewClient(device, nil))
	if err := b.cli.Connect(); err != nil {
		t.Fatal(err)
	}
	await(t, b, at, func(*events.Connected) bool { return true })
	again := b.text(p.JID(), "two")
	if m, err := p.WaitID(ctx, again); err != nil || m.Text != "two" {
		t.Fatalf("%+v, %v", m, err)
	}
	if got := encTypes(t, s, again, p.JID()); !slices.Equal(got, []string{"msg"}) {
		t.Errorf("after the restart the message went as %v", got)
	}
}
