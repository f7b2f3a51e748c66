package wasim

import (
	"context"
	"slices"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// Message is one message as a person sees it on the phone, with further facts for tests.
type Message struct {
	ID      types.MessageID
	Time    time.Time
	Chat    types.JID // LID of the other side, or the group
	From    types.JID // LID of the sender
	FromMe  bool      // sent by another device of the phone's own account
	Text    string    // the body: text, caption or the body of buttons
	Header  string
	Footer  string
	Buttons []Button
	Quoted  types.MessageID // the message that it answers, if any

	Message *waE2E.Message // without wrappers such as ephemeral; shared, so do not modify it
	Raw     *waE2E.Message // as decrypted
	Biz     int            // <biz> nodes of the stanza it came in; buttons render when it is exactly one
	Copies  int            // how often it arrived and was decrypted; the first copy is shown
	Retry   int            // how often the phone had asked again for the copy that is shown

	read    bool      // the person has read it
	status  string    // of a message that was sent from this phone
	expires time.Time // when it disappears; zero: never

	order  int // number of the change that added it
	change int // number of the change that last modified it
}

// receive shows a message, unless it is shown already.
func (p *Phone) receive(ev *events.Message) {
	if set := ev.Message.GetProtocolMessage(); set.GetType() == waE2E.ProtocolMessage_EPHEMERAL_SETTING && set != nil {
		p.mu.Lock()
		p.timerIs(ev.Info.Chat, timer{set.GetEphemeralExpiration(), set.GetEphemeralSettingTimestamp()})
		p.mu.Unlock()
	}
	if ev.Message.GetProtocolMessage() != nil || ev.Message.GetSenderKeyDistributionMessage() != nil && ev.Message.GetConversation() == "" && !shows(ev.Message) {
		return // addressed to the app, not to the person
	}
	key := messageKey{chat: ev.Info.Chat, sender: ev.Info.Sender.ToNonAD(), id: ev.Info.ID}
	biz := p.s.record.lastBiz(ev.Info.ID, p.account.jid)
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed()
	p.changes++
	if m := p.seen[key]; m != nil {
		m.Copies++
		m.change = p.changes
		return
	}
	m := &Message{
		ID: ev.Info.ID, Time: ev.Info.Timestamp, Chat: key.chat, From: key.sender, FromMe: ev.Info.IsFromMe,
		Message: ev.Message, Raw: ev.RawMessage, Biz: biz, Copies: 1, Retry: ev.RetryCount, order: p.changes, change: p.changes,
	}
	m.parse()
	if len(p.inbox) >= p.s.opts.Limits.Inbox {
		old := p.inbox[0]
		delete(p.seen, messageKey{old.Chat, old.From, old.ID})
		p.inbox = p.inbox[1:]
	}
	p.inbox = append(p.inbox, m)
	p.seen[key] = m
	p.expireLater(m)
}

// Inbox returns what the person sees, oldest first.
func (p *Phone) Inbox() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Message, len(p.inbox))
	for i, m := range p.inbox {
		out[i] = m.copy()
	}
	return out
}

// Wait returns the first message of the inbox that a function accepts, and waits for one until ctx ends. The function
// must not call the phone.
func (p *Phone) Wait(ctx context.Context, accept func(Message) bool) (Message, error) {
	var found Message
	asked := 0 // the function was asked about all messages up to this change
	err := p.await(ctx, func() bool {
		for _, candidate := range p.inbox {
			if candidate.change <= asked {
				continue
			}
			if m := candidate.copy(); accept(m) {
				found = m
				return true
			}
		}
		asked = p.changes
		return false
	})
	return found, err
}

// WaitID waits for the message with an id.
func (p *Phone) WaitID(ctx context.Context, id types.MessageID) (Message, error) {
	return p.Wait(ctx, func(m Message) bool { return m.ID == id })
}

func (m *Message) copy() Message {
	c := *m
	c.Buttons = slices.Clone(m.Buttons)
	return c
}
