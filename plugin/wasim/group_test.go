package wasim_test

import (
	"errors"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// Buttons and clicks in a group; a member that comes later asks for what it cannot read yet.
func TestGroup(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p, q := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	ctx := within(t)
	g, err := s.NewGroup("Team", b.account, p.Account(), q.Account())
	if err != nil {
		t.Fatal(err)
	}
	id := b.menu(g.JID(), "Yes", "No")
	for _, each := range []*wasim.Phone{p, q} {
		m, err := each.WaitID(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if m.Chat != g.JID() || m.From != b.account.LID() || len(m.Buttons) != 2 || m.Biz != 1 {
			t.Errorf("in the group: %+v", m)
		}
		if _, err := each.Click(ctx, m, "id-yes", ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Wait(ctx, func(m wasim.Message) bool { return m.From == q.LID() && m.Chat == g.JID() }); err != nil {
		t.Error(err)
	}
	late := customer(t, s, "5511988880003")
	if err := g.Add(late.Account()); err != nil {
		t.Fatal(err)
	}
	id = b.text(g.JID(), "who is new?")
	if m, err := late.WaitID(ctx, id); err != nil || m.Text != "who is new?" || m.Retry == 0 {
		t.Errorf("the new member's first message: %+v, %v", m, err)
	}
	id = b.text(g.JID(), "welcome")
	if m, err := late.WaitID(ctx, id); err != nil || m.Retry != 0 {
		t.Errorf("the new member's second message: %+v, %v", m, err)
	}
	if _, err := customer(t, s, "5511988880004").Client().GetGroupInfo(ctx, g.JID()); !errors.Is(err, whatsmeow.ErrNotInGroup) {
		t.Errorf("a stranger's query: %v", err)
	}
	noUnhandled(t, s)
}

// A client makes a group: its members are told, and all of them can write there. A number without an account is named.
func TestClientMakesGroup(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000", wasim.PushName("Shop"))
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	joined := make(chan *events.JoinedGroup, 1)
	p.Client().AddEventHandler(func(ev any) {
		if j, ok := ev.(*events.JoinedGroup); ok {
			joined <- j
		}
	})
	stranger := types.NewJID("5511900000009", types.DefaultUserServer)
	info, err := b.cli.CreateGroup(ctx, whatsmeow.ReqCreateGroup{Name: "Team", Participants: []types.JID{p.JID(), p.LID(), stranger}})
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Participants) != 3 || info.Name != "Team" || info.OwnerJID != b.account.LID() || info.Participants[2].Error != 404 {
		t.Errorf("the new group: %+v", info)
	}
	select {
	case j := <-joined:
		if j.JID != info.JID || j.Notify != "Shop" || j.Sender == nil || *j.Sender != b.account.LID() || len(j.Participants) != 2 {
			t.Errorf("the member is told %+v", j)
		}
	case <-ctx.Done():
		t.Fatal("the member is not told")
	}
	if m, err := p.WaitID(ctx, b.menu(info.JID, "Yes", "No")); err != nil || m.Chat != info.JID {
		t.Errorf("in the group: %+v, %v", m, err)
	}
	id, err := p.SendText(ctx, info.JID, "hello all")
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(ev *events.Message) bool { return ev.Info.ID == id && ev.Info.Chat == info.JID })
	long := whatsmeow.ReqCreateGroup{Name: strings.Repeat("x", 101), Participants: []types.JID{p.JID()}}
	if _, err := b.cli.CreateGroup(ctx, long); !errors.Is(err, whatsmeow.ErrIQNotAcceptable) {
		t.Errorf("a subject of 101 characters: %v", err)
	}
	noUnhandled(t, s)
}

// A group of the old kind, in which everybody is known by number; and who types in it.
func TestNumberGroup(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p, q := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	ctx := within(t)
	g, err := s.NewNumberGroup("Old", b.account, p.Account(), q.Account())
	if err != nil {
		t.Fatal(err)
	}
	id := b.menu(g.JID(), "Yes", "No")
	for _, each := range []*wasim.Phone{p, q} {
		m, err := each.WaitID(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if m.Chat != g.JID() || m.From != b.account.JID() || len(m.Buttons) != 2 || m.Biz != 1 {
			t.Errorf("in the group: %+v", m)
		}
	}
	if err := p.Type(ctx, g.JID(), true); err != nil {
		t.Fatal(err)
	}
	if err := q.WaitTyping(ctx, g.JID(), true); err != nil {
		t.Error(err)
	}
	answer, err := p.SendText(ctx, g.JID(), "no")
	if err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, 0, func(ev *events.Message) bool { return ev.Info.ID == answer })
	if ev.Info.Sender.ToNonAD() != p.JID() || ev.Info.SenderAlt.ToNonAD() != p.LID() || ev.Info.AddressingMode != types.AddressingModePN {
		t.Errorf("the answer comes from %+v", ev.Info.MessageSource)
	}
	noUnhandled(t, s)
}
