package node

import (
	"path/filepath"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/wasim"
)

// again sends a message under an id that the test chooses.
func (w *world) again(p *wasim.Phone, to types.JID, id types.MessageID, m *waE2E.Message) {
	w.t.Helper()
	_, err := p.Client().SendMessage(w.ctx(), to, m, whatsmeow.SendRequestExtra{ID: id})
	w.must(err)
}

// TestOneMessageUnderBothNames: a message is one event, whether it arrives under its sender's LID,
// under the number, or once under each, in any order; the same for a message that an earlier
// version stored under one of the names.
func TestOneMessageUnderBothNames(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	m := w.ask(menuTo(anaNumber), ana)
	lid, number := w.sim.Account(shopNumber).LID(), w.sim.Account(shopNumber).JID()
	hello := &waE2E.Message{Conversation: proto.String("hello")}

	w.shut()
	old, err := store.Open(w.ctx(), store.Options{Dir: filepath.Join(w.dir, "store"), Postgres: w.dsn})
	w.must(err)
	_, err = old.Outbox.Append(w.ctx(), outbox.Event{
		ID:   outbox.EventID(clicks.TypeReceived, "shop", ana.JID().String(), ana.JID().String(), "3A0LD"),
		Type: "stored by an earlier version", Instance: "shop", Data: []byte("{}"),
	}, nil)
	w.must(err)
	w.must(old.Close())
	w.start()
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
	clicked, received := w.subscribe(opButtonClick, everything), w.subscribe(opMessageReceived, nil)

	w.again(ana, lid, "3A0LD", hello)
	n := 0
	for _, order := range [][]types.JID{{lid, number}, {number, lid}} {
		words, tap := ana.Client().GenerateMessageID(), ana.Client().GenerateMessageID()
		for _, to := range order {
			w.again(ana, to, words, hello)
			w.again(ana, to, tap, claim("sales", m.ID))
		}
		n++
		var r clicks.MessageReceived
		if w.next(received, &r); r.MessageID != words {
			t.Errorf("%v: message %s, want %s", order, r.MessageID, words)
		}
		var c clicks.Clicked
		if w.next(clicked, &c); c.MessageID != tap || c.Click.N != n {
			t.Errorf("%v: click %s, number %d, want %s, %d", order, c.MessageID, c.Click.N, tap, n)
		}
	}
}

// TestBroadcastList: a message that a customer sends through a broadcast list is a message, or a
// click, in the private chat, and counts as having written first.
func TestBroadcastList(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	clicked, received := w.subscribe(opButtonClick, everything), w.subscribe(opMessageReceived, nil)
	m := w.ask(menuTo(anaNumber), ana)
	us := []types.JID{w.sim.Account(shopNumber).LID()}
	private := func(chat clicks.Chat) bool {
		return chat.Type == clicks.Private && chat.JID == ana.LID().String() && *chat.LID == chat.JID && *chat.Phone == anaNumber
	}

	id, err := ana.Broadcast(w.ctx(), us, &waE2E.Message{Conversation: proto.String("we close at six")})
	w.must(err)
	var r clicks.MessageReceived
	if w.next(received, &r); r.MessageID != id || !private(r.Chat) || r.Menu == nil || r.Menu.MessageID != m.ID {
		t.Errorf("words: %+v", r)
	}
	id, err = ana.Broadcast(w.ctx(), us, claim("sales", m.ID))
	w.must(err)
	var c clicks.Clicked
	if w.next(clicked, &c); c.MessageID != id || !private(c.Chat) || c.Menu == nil {
		t.Errorf("tap: %+v", c)
	}
	reply := textTo(r.Chat.JID)
	reply["replyTo"] = r.MessageID
	w.must(w.call("whatsapp.sendText@1", reply, nil))
	if _, err := ana.Wait(w.ctx(), func(m wasim.Message) bool { return m.Quoted == r.MessageID }); err != nil {
		t.Error(err)
	}
}

// TestWhatPeopleSee: everything that phones show answers a waiting menu, including messages that
// have no kind of their own or lie in a wrapper; messages that phones do not show do not.
func TestWhatPeopleSee(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	received := w.subscribe(opMessageReceived, nil)
	m := w.ask(menuTo(anaNumber), ana)
	poll := &waE2E.Message{PollCreationMessageV3: &waE2E.PollCreationMessage{Name: proto.String("Friday?"), Options: []*waE2E.PollCreationMessage_Option{{OptionName: proto.String("yes")}}}}
	in := func(m *waE2E.Message) *waE2E.FutureProofMessage { return &waE2E.FutureProofMessage{Message: m} }
	for name, sent := range map[string]*waE2E.Message{
		"poll":           poll,
		"poll, V4":       {PollCreationMessageV4: in(poll)},
		"invitation":     {GroupInviteMessage: &waE2E.GroupInviteMessage{GroupName: proto.String("Team")}},
		"invoice":        {InvoiceMessage: &waE2E.InvoiceMessage{Note: proto.String("May")}},
		"payment":        {SendPaymentMessage: &waE2E.SendPaymentMessage{NoteMessage: &waE2E.Message{Conversation: proto.String("thanks")}}},
		"stickers":       {StickerPackMessage: &waE2E.StickerPackMessage{Name: proto.String("Cats")}},
		"forwarded menu": {InteractiveMessage: m.Message.GetInteractiveMessage()},
		"buttons":        {DocumentWithCaptionMessage: in(&waE2E.Message{ButtonsMessage: &waE2E.ButtonsMessage{ContentText: proto.String("Which?")}})},
		"template":       {TemplateMessage: &waE2E.TemplateMessage{}},
		"list":           {ListMessage: &waE2E.ListMessage{Title: proto.String("Menu")}},
		"sticker":        {LottieStickerMessage: in(&waE2E.Message{StickerMessage: &waE2E.StickerMessage{}})},
		"spoiler":        {SpoilerMessage: in(&waE2E.Message{EphemeralMessage: in(&waE2E.Message{ImageMessage: &waE2E.ImageMessage{}})})},
	} {
		for _, unseen := range []*waE2E.Message{
			{ReactionMessage: &waE2E.ReactionMessage{Text: proto.String("👍")}},
			{PinInChatMessage: &waE2E.PinInChatMessage{}},
			{AlbumMessage: &waE2E.AlbumMessage{}},
		} {
			_, err := ana.Send(w.ctx(), m.From, unseen)
			w.must(err)
		}
		id, err := ana.Send(w.ctx(), m.From, sent)
		w.must(err)
		var r clicks.MessageReceived
		e := w.next(received, &r)
		kind := clicks.KindOther
		switch name {
		case "sticker":
			kind = clicks.KindSticker
		case "spoiler":
			kind = clicks.KindImage
		}
		if r.MessageID != id || r.Kind != kind || r.Menu == nil || r.Menu.MessageID != m.ID || e.Correlation == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
