package node

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/wasim"
)

const day = 24 * 60 * 60

// contextOf returns the context of a message of any kind.
func contextOf(m wasim.Message) *waE2E.ContextInfo {
	for _, with := range []interface{ GetContextInfo() *waE2E.ContextInfo }{
		m.Message.GetInteractiveMessage(), m.Message.GetExtendedTextMessage(), m.Message.GetImageMessage(), m.Message.GetButtonsMessage(),
	} {
		if info := with.GetContextInfo(); info != nil {
			return info
		}
	}
	return nil
}

// everyKind sends a menu, a text, a menu as text and one with a picture as its caption,
// and returns them as the phone shows them.
func (w *world) everyKind(to string, phone *wasim.Phone) []wasim.Message {
	w.t.Helper()
	content := picture(w.t)
	files := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(content) }))
	defer files.Close()
	var all []wasim.Message
	show := func(operation string, input obj) {
		var out send.Output
		w.must(w.call(operation, input, &out))
		m, err := phone.WaitID(w.ctx(), out.MessageID)
		w.must(err)
		all = append(all, m)
	}
	show(send.OpButtons, menuTo(to))
	show(send.OpText, textTo(to))
	for _, caption := range []bool{false, true} {
		menu := menuTo(to)
		menu["fallback"] = "text"
		if caption {
			menu["mediaUrl"], menu["mediaType"] = files.URL+"/menu.png", "IMAGE"
		}
		w.fault(wasim.FaultRule{Match: wasim.FaultMatch{Stage: wasim.StageMessage, Account: shopNumber}, Times: 1, Action: wasim.Fault{AckError: &wasim.AckError{Code: 473}}})
		show(send.OpButtons, menu)
	}
	return all
}

func (w *world) lives(to string, phone *wasim.Phone, seconds uint32, setAt int64) {
	w.t.Helper()
	for n, m := range w.everyKind(to, phone) {
		info := contextOf(m)
		if info.GetExpiration() != seconds || info.GetEphemeralSettingTimestamp() != setAt {
			w.t.Errorf("message %d lives for %d s, set at %d; want %d and %d", n, info.GetExpiration(), info.GetEphemeralSettingTimestamp(), seconds, setAt)
		}
	}
}

func setting(seconds uint32) *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(), EphemeralExpiration: proto.Uint32(seconds),
	}}
}

// TestDisappearingChat: everything we send to a person has the timer that the person's phone or
// ours has set, as the last message states it.
func TestDisappearingChat(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	shop := w.sim.Account(shopNumber).LID()
	const settingAt = 1_700_000_000
	say := func(m *waE2E.Message) {
		w.t.Helper()
		_, err := ana.Send(w.ctx(), shop, m)
		w.must(err)
		w.writes(ana, fmt.Sprint("after ", len(ana.Inbox()))) // everything before it is stored
	}
	w.lives(anaNumber, ana, 0, 0)
	say(setting(day))
	w.lives(anaNumber, ana, day, 0)
	w.shut()
	w.start()
	w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
	w.lives(ana.LID().String(), ana, day, 0)
	say(setting(0))
	w.lives(anaNumber, ana, 0, 0)
	say(&waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{Text: proto.String("old"), ContextInfo: &waE2E.ContextInfo{
		Expiration: proto.Uint32(day), EphemeralSettingTimestamp: proto.Int64(settingAt),
	}}})
	w.lives(anaNumber, ana, 0, 0) // that timer was set earlier
}

// TestTimerOfFirstMessage: a message can be the first to reveal the timer, and when it was set.
func TestTimerOfFirstMessage(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	const settingAt = 1_700_000_000
	received := w.subscribe(opMessageReceived, nil)
	_, err := ana.Send(w.ctx(), w.sim.Account(shopNumber).LID(), &waE2E.Message{ExtendedTextMessage: &waE2E.ExtendedTextMessage{
		Text: proto.String("hello"), ContextInfo: &waE2E.ContextInfo{Expiration: proto.Uint32(7 * day), EphemeralSettingTimestamp: proto.Int64(settingAt)},
	}})
	w.must(err)
	w.next(received, new(clicks.MessageReceived))
	w.lives(anaNumber, ana, 7*day, settingAt)
}

// TestDisappearingGroup: a group's timer is queried once, and WhatsApp reports its changes, also
// while the node is away.
func TestDisappearingGroup(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	team, err := w.sim.NewGroup("Team", ana.Account(), w.sim.Account(shopNumber))
	w.must(err)
	team.SetTimer(day)
	to := team.JID().String()
	w.lives(to, ana, day, 0)
	for _, seconds := range []uint32{7 * day, 0} {
		w.shut()
		team.SetTimer(seconds)
		w.start()
		w.must(w.call("whatsapp.instance.connect@1", named{"shop"}, nil))
		w.until(func() bool { return w.sim.Account(shopNumber).Linked()[0].Pending() == 0 })
		w.lives(to, ana, seconds, 0)
	}
}

// TestQuotesAreFlat: a quote holds the content of the quoted message and not what that message
// quotes, however long the chain of answers is.
func TestQuotesAreFlat(t *testing.T) {
	t.Parallel()
	w, ana := shop(t, wasim.Options{})
	var out send.Output
	text := textTo(anaNumber)
	text["contentText"] = strings.Repeat("a long story ", 300)
	w.must(w.call(send.OpText, text, &out))
	for range 5 {
		text["replyTo"] = out.MessageID
		before := out.MessageID
		w.must(w.call(send.OpText, text, &out))
		m, err := ana.WaitID(w.ctx(), out.MessageID)
		w.must(err)
		quoted := m.Message.GetExtendedTextMessage().GetContextInfo().GetQuotedMessage()
		words := quoted.GetConversation() + quoted.GetExtendedTextMessage().GetText()
		if m.Quoted != before || words != text["contentText"] || quoted.GetExtendedTextMessage().GetContextInfo() != nil {
			t.Errorf("the quote of %s is %v", m.Quoted, quoted)
		}
	}
}
