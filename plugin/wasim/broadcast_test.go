package wasim_test

import (
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// Everybody on a broadcast list gets a copy of their own, told as one of the list.
func TestBroadcast(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	ana, bob := customer(t, s, "5511988880001"), customer(t, s, "5511988880002")
	ctx := within(t)
	id, err := ana.Broadcast(ctx, []types.JID{b.account.LID(), bob.JID()}, &waE2E.Message{Conversation: proto.String("we moved")})
	if err != nil {
		t.Fatal(err)
	}
	got, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == id })
	if !got.Info.Chat.IsBroadcastList() || got.Info.Sender.ToNonAD() != ana.LID() || got.Info.SenderAlt.ToNonAD() != ana.JID() || got.Message.GetConversation() != "we moved" {
		t.Errorf("%+v", got.Info)
	}
	if m, err := bob.WaitID(ctx, id); err != nil || m.Text != "we moved" {
		t.Errorf("%+v, %v", m, err)
	}
	plain, err := ana.SendText(ctx, b.account.LID(), "and to you alone")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ = await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == plain }); got.Info.Chat != ana.LID() {
		t.Errorf("after the list: %+v", got.Info)
	}
	noUnhandled(t, s)
}
