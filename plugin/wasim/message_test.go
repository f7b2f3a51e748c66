package wasim_test

import (
	"fmt"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func encTypes(t *testing.T, s *wasim.Server, id types.MessageID, to types.JID) []string {
	t.Helper()
	rec, ok := s.Record(id)
	if !ok {
		t.Fatalf("no record of message %s", id)
	}
	var out []string
	for _, d := range rec.Deliveries {
		if d.To == to {
			out = append(out, d.EncType)
		}
	}
	return out
}

// Until the other side has answered, each message starts the session anew; after that none does.
func TestSessionStarts(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	for range 2 {
		id := b.text(p.JID(), "hello")
		if _, err := p.WaitID(ctx, id); err != nil {
			t.Fatal(err)
		}
		if got := encTypes(t, s, id, p.JID()); !slices.Equal(got, []string{"pkmsg"}) {
			t.Errorf("unanswered message went as %v", got)
		}
	}
	answer, err := p.SendText(ctx, b.account.LID(), "hi")
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == answer })
	id := b.text(p.JID(), "third")
	if _, err := p.WaitID(ctx, id); err != nil {
		t.Fatal(err)
	}
	if got := encTypes(t, s, id, p.JID()); !slices.Equal(got, []string{"msg"}) {
		t.Errorf("message in an answered chat went as %v", got)
	}
}

func TestManyRounds(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	at := 0
	for i := range 50 {
		id := b.text(p.JID(), fmt.Sprint("to phone ", i))
		m, err := p.WaitID(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if m.Text != fmt.Sprint("to phone ", i) {
			t.Fatalf("round %d: phone shows %q", i, m.Text)
		}
		back, err := p.SendText(ctx, m.Chat, fmt.Sprint("from phone ", i))
		if err != nil {
			t.Fatal(err)
		}
		_, at = await(t, b, at, func(e *events.Message) bool { return e.Info.ID == back })
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, ev := range b.events {
		if u, ok := ev.(*events.UndecryptableMessage); ok {
			t.Errorf("undecryptable: %s", u.Info.ID)
		}
	}
	noUnhandled(t, s)
}

// A message reaches every device of both sides, and a device linked later is learned from the ack's phash.
func TestEveryDevice(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	if _, err := p.WaitID(ctx, b.text(p.JID(), "one")); err != nil {
		t.Fatal(err)
	}

	second := &business{t: t, account: b.account, store: b.store, signal: make(chan struct{})}
	second.use(s, whatsmeow.NewClient(b.store.NewDevice(), nil))
	second.pair()

	id := b.text(p.JID(), "two")
	ev, _ := await(t, second, 0, func(e *events.Message) bool { return e.Info.ID == id })
	if !ev.Info.IsFromMe || ev.Info.Chat != p.LID() || ev.Message.GetConversation() != "two" {
		t.Errorf("copy on the own device: %+v", ev.Info)
	}
	back, err := p.SendText(ctx, b.account.LID(), "to both") // the phone knows only one device yet
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == back })
	if back, err = p.SendText(ctx, b.account.LID(), "again"); err != nil {
		t.Fatal(err)
	}
	for _, each := range []*business{b, second} {
		await(t, each, 0, func(e *events.Message) bool { return e.Info.ID == back })
	}
}

func TestEveryClickShape(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	m, err := p.WaitID(ctx, b.menu(p.JID(), "Yes", "No"))
	if err != nil {
		t.Fatal(err)
	}
	chosen := func(m *waE2E.Message) (id string, info *waE2E.ContextInfo) {
		switch {
		case m.GetInteractiveResponseMessage() != nil:
			r := m.GetInteractiveResponseMessage()
			return r.GetNativeFlowResponseMessage().GetParamsJSON(), r.GetContextInfo()
		case m.GetButtonsResponseMessage() != nil:
			return m.GetButtonsResponseMessage().GetSelectedButtonID(), m.GetButtonsResponseMessage().GetContextInfo()
		case m.GetTemplateButtonReplyMessage() != nil:
			return m.GetTemplateButtonReplyMessage().GetSelectedID(), m.GetTemplateButtonReplyMessage().GetContextInfo()
		case m.GetListResponseMessage() != nil:
			return m.GetListResponseMessage().GetSingleSelectReply().GetSelectedRowID(), m.GetListResponseMessage().GetContextInfo()
		}
		return m.GetExtendedTextMessage().GetText(), m.GetExtendedTextMessage().GetContextInfo()
	}
	want := map[wasim.Shape]string{
		wasim.ShapeInteractive: `{"id":"id-yes"}`, wasim.ShapeButtons: "id-yes", wasim.ShapeTemplate: "id-yes",
		wasim.ShapeList: "id-yes", wasim.ShapeText: "Yes",
	}
	for _, shape := range wasim.Shapes() {
		click, err := p.Click(ctx, m, "id-yes", shape)
		if err != nil {
			t.Fatal(err)
		}
		ev, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == click })
		id, info := chosen(ev.Message)
		if id != want[shape] || info.GetStanzaID() != m.ID || info.GetQuotedMessage().GetInteractiveMessage() == nil {
			t.Errorf("shape %s: chosen %q, quoting %q", shape, id, info.GetStanzaID())
		}
	}
	click, err := p.Click(ctx, m, "id-yes", "", wasim.NoQuote(), wasim.Ephemeral())
	if err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == click })
	if _, info := chosen(ev.Message); !ev.IsEphemeral || info.GetStanzaID() != "" {
		t.Errorf("ephemeral %v, quoting %q", ev.IsEphemeral, info.GetStanzaID())
	}
	if _, err := p.Click(ctx, m, "id-maybe", ""); err == nil {
		t.Error("a button that is not there could be pressed")
	}
}

// A person sees one message however often its id is sent; the copies are counted.
func TestRepeatedID(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	for range 3 {
		_, err := b.cli.SendMessage(ctx, p.JID(), &waE2E.Message{Conversation: proto.String("once")}, whatsmeow.SendRequestExtra{ID: "SAME"})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Wait(ctx, func(m wasim.Message) bool { return m.ID == "SAME" && m.Copies == 3 }); err != nil {
		t.Fatal(err)
	}
	if in := p.Inbox(); len(in) != 1 {
		t.Errorf("the person sees %d messages", len(in))
	}
	if rec, _ := s.Record("SAME"); len(rec.Attempts) != 3 {
		t.Errorf("%d attempts on record", len(rec.Attempts))
	}
}

func TestReceiptsTypingAndPresence(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	if err := b.cli.SendPresence(ctx, types.PresenceAvailable); err != nil {
		t.Fatal(err)
	}
	m, err := p.WaitID(ctx, b.text(p.JID(), "read me"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.Receipt) bool { return e.Type == "inactive" && slices.Contains(e.MessageIDs, m.ID) })
	if err := p.Read(ctx, m); err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, 0, func(e *events.Receipt) bool { return e.Type == types.ReceiptTypeRead })
	if !slices.Contains(ev.MessageIDs, m.ID) || ev.Sender != p.LID() || ev.Timestamp.IsZero() {
		t.Errorf("read receipt %+v", ev)
	}

	if err := b.cli.SendChatPresence(ctx, p.LID(), types.ChatPresenceComposing, ""); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitTyping(ctx, b.account.LID(), true); err != nil {
		t.Fatal(err)
	}
	if err := p.Type(ctx, b.account.LID(), true); err != nil {
		t.Fatal(err)
	}
	await(t, b, 0, func(e *events.ChatPresence) bool { return e.Chat == p.LID() && e.State == types.ChatPresenceComposing })

	if err := b.cli.SubscribePresence(ctx, p.LID()); err != nil {
		t.Fatal(err)
	}
	_, at := await(t, b, 0, func(e *events.Presence) bool { return e.From == p.LID() && e.Unavailable })
	if err := p.Client().SendPresence(ctx, types.PresenceAvailable); err != nil {
		t.Fatal(err)
	}
	_, at = await(t, b, at, func(e *events.Presence) bool { return e.From == p.LID() && !e.Unavailable })
	p.Disconnect()
	await(t, b, at, func(e *events.Presence) bool { return e.From == p.LID() && e.Unavailable })
	noUnhandled(t, s)
}

// A customer who hides the number is known by LID only, and the chat works all the same.
func TestHiddenNumber(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001", wasim.HiddenNumber())
	ctx := within(t)
	id, err := p.SendText(ctx, b.account.JID(), "guess who")
	if err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == id })
	if ev.Info.Sender != p.LID() || !ev.Info.SenderAlt.IsEmpty() {
		t.Errorf("message from %v, alternatively %v", ev.Info.Sender, ev.Info.SenderAlt)
	}
	if _, err := p.WaitID(ctx, b.text(ev.Info.Sender, "hello stranger")); err != nil {
		t.Fatal(err)
	}
}

// First contact is refused until the customer has written: then there is a token to show.
func TestPrivacyToken(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001", wasim.RequireToken())
	ctx := within(t)
	_, err := b.cli.SendMessage(ctx, p.JID(), &waE2E.Message{Conversation: proto.String("cold")})
	if err == nil || err.Error() != "server returned error 463" {
		t.Fatalf("first contact: %v", err)
	}
	if _, err := p.SendText(ctx, b.account.JID(), "I write first"); err != nil {
		t.Fatal(err)
	}
	for len(s.Stanzas(func(st wasim.Stanza) bool {
		return st.Direction == wasim.In && st.Device == b.device().JID() && st.Node.Tag == "ack" && st.Node.Attrs["type"] == "privacy_token"
	})) == 0 {
		if _, err := b.cli.IsOnWhatsApp(ctx, nil); err != nil { // a round trip, so that the token can arrive
			t.Fatal(err)
		}
	}
	if _, err := p.WaitID(ctx, b.text(p.JID(), "warm")); err != nil {
		t.Fatal(err)
	}
}

// The owner of the business presses a button on the phone: the linked client sees it as a copy of an own message.
func TestClickOnTheOwnPhone(t *testing.T) {
	s := start(t, wasim.Options{})
	phone := customer(t, s, "5511999990000", wasim.PushName("Owner"))
	b := attach(t, s, phone.Account())
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	msg, biz := menu("Yes", "No")
	id, err := p.Send(ctx, b.account.LID(), msg, biz...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := phone.WaitID(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	click, err := phone.Click(ctx, m, "id-no", "")
	if err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == click })
	if !ev.Info.IsFromMe || ev.Info.Chat != p.LID() || ev.Info.DeviceSentMeta == nil || ev.Message.GetInteractiveResponseMessage() == nil {
		t.Errorf("own click: %+v", ev.Info)
	}
	if _, err := p.WaitID(ctx, click); err != nil {
		t.Fatal(err)
	}
	if b.cli.Store.PushName != "Owner" {
		t.Errorf("push name is %q", b.cli.Store.PushName)
	}
}
