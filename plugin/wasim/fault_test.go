package wasim_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func addFault(t *testing.T, s *wasim.Server, match wasim.FaultMatch, action wasim.Fault) {
	t.Helper()
	if _, err := s.AddFault(wasim.FaultRule{Match: match, Times: 1, Action: action}); err != nil {
		t.Fatal(err)
	}
}

// The message arrives, but its ack does not: the same id sent again is a copy to the person.
func TestLostAck(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	addFault(t, s, wasim.FaultMatch{Stage: wasim.StageMessage, MessageID: "LOST"}, wasim.Fault{DropAck: true})
	send := func(timeout time.Duration) error {
		_, err := b.cli.SendMessage(ctx, p.JID(), &waE2E.Message{Conversation: proto.String("x")}, whatsmeow.SendRequestExtra{ID: "LOST", Timeout: timeout})
		return err
	}
	if err := send(200 * time.Millisecond); !errors.Is(err, whatsmeow.ErrMessageTimedOut) {
		t.Fatalf("without ack: %v", err)
	}
	if err := send(patience); err != nil {
		t.Fatal(err)
	}
	if m, err := p.Wait(ctx, func(m wasim.Message) bool { return m.ID == "LOST" && m.Copies == 2 }); err != nil {
		t.Fatalf("%+v, %v", m, err)
	}
}

// The connection breaks between the message and its ack: whatsmeow sends the same frame again, and it arrives.
func TestDisconnectAroundTheAck(t *testing.T) {
	for _, side := range []string{"before", "after"} {
		t.Run(side, func(t *testing.T) {
			s := start(t, wasim.Options{})
			b := open(t, s, "5511999990000")
			b.pair()
			p := customer(t, s, "5511988880001")
			ctx := within(t)
			action := wasim.Fault{Disconnect: wasim.Before}
			if side == "after" {
				action.Disconnect = wasim.After
			}
			addFault(t, s, wasim.FaultMatch{Stage: wasim.StageMessage, Account: "5511999990000"}, action)
			b.aloneOnTheLine(p)
			at := b.position()
			if _, err := p.WaitID(ctx, b.text(p.JID(), "through")); err != nil {
				t.Fatal(err)
			}
			await(t, b, at, func(*events.Connected) bool { return true })
			if _, err := p.WaitID(ctx, b.text(p.JID(), "and on")); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// aloneOnTheLine lets nothing of whatsmeow but a send wait for the next line when one is cut:
// no privacy token is issued after the message, and the test connects again. Two that wait
// write to the same flag of an exsync.Event, which the race detector reports.
func (b *business) aloneOnTheLine(p *wasim.Phone) {
	in := b.cli.DangerousInternals()
	for _, jid := range []types.JID{p.JID(), p.Account().JID(), p.Account().LID()} {
		in.SetTCTokenSenderTS(jid.ToNonAD(), time.Now())
	}
	b.cli.EnableAutoReconnect = false
	b.cli.AddEventHandler(func(ev any) {
		if _, gone := ev.(*events.Disconnected); gone {
			if err := b.cli.Connect(); err != nil {
				b.t.Error(err)
			}
		}
	})
}

func TestDeliveryFaults(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	delivery := wasim.FaultMatch{Stage: wasim.StageDelivery, Account: "5511988880001"}

	addFault(t, s, delivery, wasim.Fault{DropDelivery: true})
	dropped := b.text(p.JID(), "dropped")
	addFault(t, s, delivery, wasim.Fault{Delay: wasim.FaultDuration(20 * time.Millisecond), Disconnect: wasim.After})
	if _, err := p.WaitID(ctx, b.text(p.JID(), "late, and the line goes dead")); err != nil {
		t.Fatal(err)
	}
	addFault(t, s, delivery, wasim.Fault{Duplicate: 2})
	if _, err := p.WaitID(ctx, b.text(p.JID(), "three times")); err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Inbox() {
		if m.ID == dropped {
			t.Error("the dropped message was delivered")
		}
	}
}

// A damaged ciphertext is asked for again and comes whole; the retry carries no <biz>, which is whatsmeow's doing.
func TestDamagedCiphertext(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	addFault(t, s, wasim.FaultMatch{Stage: wasim.StageDelivery, Account: "5511988880001"}, wasim.Fault{Corrupt: true})
	id := b.menu(p.JID(), "Yes", "No")
	m, err := p.WaitID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if m.Retry == 0 || m.Biz != 0 || len(m.Buttons) != 2 {
		t.Errorf("after the retry: %+v", m)
	}
	rec, _ := s.Record(id)
	if len(rec.Attempts) != 2 || rec.Attempts[0].Retry || !rec.Attempts[1].Retry || rec.Attempts[0].Biz() != 1 {
		t.Errorf("attempts %+v", rec.Attempts)
	}
}

// A phone that has lost its sessions asks with fresh keys and gets the message in a new session.
func TestLostSession(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	if _, err := p.WaitID(ctx, b.text(p.JID(), "one")); err != nil {
		t.Fatal(err)
	}
	answer, err := p.SendText(ctx, b.account.JID(), "answer")
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == answer })
	if err := p.Client().Store.Sessions.DeleteAllSessions(ctx, b.account.LID().SignalAddressUser()); err != nil {
		t.Fatal(err)
	}
	if m, err := p.WaitID(ctx, b.text(p.JID(), "two")); err != nil || m.Text != "two" || m.Retry == 0 {
		t.Fatalf("%+v, %v", m, err)
	}
}

// A half-open link: the client's stanzas vanish until it connects anew.
func TestDeaf(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	b.device().Deafen()
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := b.cli.SendMessage(short, p.JID(), &waE2E.Message{Conversation: proto.String("lost")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("into a dead line: %v", err)
	}
	at := b.position()
	b.cli.ResetConnection()
	await(t, b, at, func(*events.Connected) bool { return true })
	if _, err := p.WaitID(ctx, b.text(p.JID(), "alive")); err != nil {
		t.Fatal(err)
	}
}
