package wasim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// maxTimer is the longest lifetime of disappearing messages.
const maxTimer = 90 * 24 * time.Hour

// timer is the lifetime of a chat's messages and the time at which it was set.
type timer struct {
	seconds uint32
	set     int64 // unix seconds
}

// SetTimer makes the messages of a chat disappear after the given time, in whole seconds; 0 keeps them. As with a real
// phone, the other side is notified, or every member of a group.
func (p *Phone) SetTimer(ctx context.Context, chat types.JID, life time.Duration) error {
	if life < 0 || life > maxTimer || life%time.Second != 0 {
		return fmt.Errorf("messages live for whole seconds up to %s, or for ever (0)", maxTimer)
	}
	t := timer{uint32(life / time.Second), time.Now().Unix()}
	if g := p.s.group(chat); g != nil {
		g.SetTimer(t.seconds)
	} else {
		_, err := p.send(ctx, chat, &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
			Type:                      waE2E.ProtocolMessage_EPHEMERAL_SETTING.Enum(),
			EphemeralExpiration:       proto.Uint32(t.seconds),
			EphemeralSettingTimestamp: proto.Int64(t.set),
		}}, whatsmeow.SendRequestExtra{})
		if err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timerIs(chat, t)
	return nil
}

// timerIs records the timer of a chat. The caller holds p.mu.
func (p *Phone) timerIs(chat types.JID, t timer) {
	if a := p.s.find(chat); a != nil {
		chat = a.lid
	}
	if t.seconds == 0 {
		delete(p.timers, chat.ToNonAD())
	} else if len(p.timers) < p.s.opts.Limits.Inbox {
		p.timers[chat.ToNonAD()] = t
	}
	p.changes++
	p.changed()
}

// timed adds the chat's timer, if there is one, to a message, as a phone does.
func (p *Phone) timed(to types.JID, msg *waE2E.Message) *waE2E.Message {
	if a := p.s.find(to); a != nil {
		to = a.lid
	}
	p.mu.Lock()
	t, ok := p.timers[to.ToNonAD()]
	p.mu.Unlock()
	if g := p.s.group(to); g != nil {
		t.seconds = g.timer.Load()
		ok = t.seconds > 0
	}
	if !ok || msg.GetProtocolMessage() != nil {
		return msg
	}
	msg = proto.CloneOf(msg)
	if words := msg.GetConversation(); words != "" { // the plain form has no field for the timer
		msg.Conversation, msg.ExtendedTextMessage = nil, &waE2E.ExtendedTextMessage{Text: &words, ContextInfo: &waE2E.ContextInfo{}}
	}
	inner := msg
	if wrapped := msg.GetEphemeralMessage().GetMessage(); wrapped != nil {
		inner = wrapped
	}
	if info := contextOf(inner); info != nil && info.Expiration == nil {
		info.Expiration = proto.Uint32(t.seconds)
		if t.set > 0 {
			info.EphemeralSettingTimestamp = proto.Int64(t.set)
		}
	}
	return msg
}

// expireLater schedules the removal of the message when its time is over. The caller holds p.mu.
func (p *Phone) expireLater(m *Message) {
	if m.expires.IsZero() {
		return
	}
	if p.expiry == nil {
		p.expiry = time.AfterFunc(time.Until(m.expires), p.expire)
	} else if p.next.IsZero() || m.expires.Before(p.next) {
		p.expiry.Reset(time.Until(m.expires))
	} else {
		return
	}
	p.next = m.expires
}

// expire removes the expired messages and schedules the next run.
func (p *Phone) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.next = time.Time{}
	keep := func(list []*Message) []*Message {
		return slices.DeleteFunc(list, func(m *Message) bool {
			over := !m.expires.IsZero() && !m.expires.After(now)
			if over {
				delete(p.seen, messageKey{m.Chat, m.From, m.ID})
			} else if !m.expires.IsZero() && (p.next.IsZero() || m.expires.Before(p.next)) {
				p.next = m.expires
			}
			return over
		})
	}
	p.inbox, p.own = keep(p.inbox), keep(p.own)
	if !p.next.IsZero() && p.ctx.Err() == nil {
		p.expiry.Reset(time.Until(p.next))
	}
	p.changes++
	p.changed()
}
