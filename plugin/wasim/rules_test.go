package wasim_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func TestLoginFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		fail wasim.LoginFailure
		told func(any) bool
		back bool // the client comes back by itself
	}{
		{"401", wasim.LoginFailure{Reason: 401}, is(func(e *events.LoggedOut) bool { return e.OnConnect && e.Reason == 401 }), false},
		{"402", wasim.LoginFailure{Reason: 402, Code: 101, Expire: 3600}, is(func(e *events.TemporaryBan) bool {
			return e.Code == events.TempBanSentToTooManyPeople && e.Expire == time.Hour
		}), false},
		{"403", wasim.LoginFailure{Reason: 403}, is(func(e *events.LoggedOut) bool { return e.Reason == events.ConnectFailureMainDeviceGone }), false},
		{"405", wasim.LoginFailure{Reason: 405}, is(func(*events.ClientOutdated) bool { return true }), false},
		{"503", wasim.LoginFailure{Reason: 503}, is(func(*events.Connected) bool { return true }), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, wasim.Options{})
			b := open(t, s, "5511999990000")
			b.pair()
			addFault(t, s, wasim.FaultMatch{Stage: wasim.StageLogin, Account: "5511999990000"}, wasim.Fault{LoginFailure: &c.fail})
			at := b.position()
			b.cli.Disconnect()
			if err := b.cli.Connect(); err != nil {
				t.Fatal(err)
			}
			await(t, b, at, func(e any) bool { return c.told(e) })
			if st := s.Faults(); st[0].Hits != 1 || (st[0].Seen > 1) != c.back {
				t.Errorf("rule after the refusal: %+v", st[0])
			}
		})
	}
}

func is[E any](fits func(E) bool) func(any) bool {
	return func(ev any) bool {
		e, ok := ev.(E)
		return ok && fits(e)
	}
}

func TestOneBadQueryFailsOnlyItsCall(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	match := wasim.FaultMatch{Stage: wasim.StageIQ, Account: "5511999990000", Type: "usync"}

	addFault(t, s, match, wasim.Fault{IQError: &wasim.IQError{Code: 429, Text: "rate-overlimit"}})
	if _, err := b.cli.IsOnWhatsApp(ctx, []string{"+5511988880001"}); !errors.Is(err, whatsmeow.ErrIQRateOverLimit) {
		t.Errorf("refused query: %v", err)
	}

	addFault(t, s, match, wasim.Fault{Drop: true})
	short, cancel := context.WithCancel(ctx)
	lost := make(chan error, 1)
	go func() {
		_, err := b.cli.IsOnWhatsApp(short, []string{"+5511988880001"})
		lost <- err
	}()
	for s.Faults()[1].Hits == 0 {
		if _, err := b.cli.TryFetchPrivacySettings(ctx, true); err != nil { // a round trip, so that the query can arrive
			t.Fatal(err)
		}
	}
	// The first call still hangs; everything else goes on.
	if _, err := p.WaitID(ctx, b.text(p.JID(), "meanwhile")); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-lost; !errors.Is(err, context.Canceled) {
		t.Errorf("unanswered query: %v", err)
	}
	if _, err := b.cli.IsOnWhatsApp(ctx, []string{"+5511988880001"}); err != nil {
		t.Errorf("the next query: %v", err)
	}
	if !b.cli.IsLoggedIn() || b.device().Logins() != 1 {
		t.Errorf("the connection was lost: %d logins", b.device().Logins())
	}
}

func TestMessagesOutOfOrder(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	if _, err := p.WaitID(ctx, b.text(p.JID(), "0")); err != nil {
		t.Fatal(err)
	}
	// 2 is held back until one later message has left: 1, 3, 2. The receipt for what the phone writes meanwhile is none.
	addFault(t, s, wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: "5511988880001", Nth: 2}, wasim.Fault{Reorder: 1})
	b.text(p.JID(), "1")
	b.text(p.JID(), "2")
	delivered := make(chan struct{})
	var once sync.Once
	p.Client().AddEventHandler(func(ev any) {
		if _, ok := ev.(*events.Receipt); ok {
			once.Do(func() { close(delivered) })
		}
	})
	if _, err := p.SendText(ctx, b.account.JID(), "hello?"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-delivered:
	case <-ctx.Done():
		t.Fatal("no receipt came to the phone")
	}
	b.text(p.JID(), "3")
	for _, body := range []string{"1", "2", "3"} {
		if _, err := p.Wait(ctx, func(m wasim.Message) bool { return m.Text == body }); err != nil {
			t.Fatalf("message %s: %v", body, err)
		}
	}
	var shown []string
	for _, m := range p.Inbox() {
		shown = append(shown, m.Text)
	}
	if !slices.Equal(shown, []string{"0", "1", "3", "2"}) {
		t.Errorf("the phone shows %v", shown)
	}
}

func TestDuplicateAndLostDeliveries(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	match := wasim.FaultMatch{Stage: wasim.StageMessage, Account: "5511999990000"}

	addFault(t, s, match, wasim.Fault{DropDelivery: true})
	lost := b.text(p.JID(), "lost")
	addFault(t, s, match, wasim.Fault{Duplicate: 2})
	twice := b.text(p.JID(), "thrice")
	if _, err := p.WaitID(ctx, twice); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WaitID(ctx, b.text(p.JID(), "behind")); err != nil {
		t.Fatal(err)
	}
	if in := p.Inbox(); len(in) != 2 {
		t.Errorf("the phone shows %d messages, want the one sent thrice and the one behind it", len(in))
	}
	out := s.Stanzas(func(st wasim.Stanza) bool {
		return st.Direction == wasim.Out && st.Device == p.JID() && st.Node.Tag == "message" && st.Node.Attrs["id"] == twice
	})
	if len(out) != 3 {
		t.Errorf("%d copies left the server", len(out))
	}
	rec, _ := s.Record(lost)
	if len(rec.Attempts) != 1 || rec.Attempts[0].Error != 0 || slices.ContainsFunc(rec.Deliveries, func(d wasim.Delivery) bool { return d.To == p.JID() }) {
		t.Errorf("the lost message on record: %+v", rec)
	}
}

func TestRefusedMessage(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	addFault(t, s, wasim.FaultMatch{Stage: wasim.StageMessage, Recipient: "+5511988880001"}, wasim.Fault{AckError: &wasim.AckError{Code: 479}})
	_, err := b.cli.SendMessage(ctx, p.JID(), &waE2E.Message{Conversation: proto.String("x")}, whatsmeow.SendRequestExtra{ID: "REFUSED"})
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) || err.Error() != "server returned error 479" {
		t.Errorf("refused message: %v", err)
	}
	if _, err := p.WaitID(ctx, b.text(p.JID(), "the next")); err != nil {
		t.Fatal(err)
	}
	if in := p.Inbox(); len(in) != 1 {
		t.Errorf("the refused message was relayed: %+v", in)
	}
	if rec, _ := s.Record("REFUSED"); len(rec.Attempts) != 1 || rec.Attempts[0].Error != 479 || len(rec.Deliveries) != 0 {
		t.Errorf("on record: %+v", rec)
	}
}
