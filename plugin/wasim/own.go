package wasim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
)

// States of a message that the phone sent, shown as ticks beside it.
const (
	ownWaiting   = "waiting"   // the phone is offline
	ownFailed    = "failed"    // the server has not accepted it
	ownSent      = "sent"      // one tick
	ownDelivered = "delivered" // two
	ownRead      = "read"      // two in colour
)

// ownOrder is the order of the states: a message never returns to an earlier one.
var ownOrder = []string{ownWaiting, ownFailed, ownSent, ownDelivered, ownRead}

// maxWaiting bounds the messages that an offline phone keeps for later.
const maxWaiting = 1_000

// outgoing is a message that an offline phone sends after Connect.
type outgoing struct {
	to  types.JID
	msg *waE2E.Message
	req whatsmeow.SendRequestExtra
}

// send sends a message, or keeps it for Connect while the phone is offline, as real phones do.
func (p *Phone) send(ctx context.Context, to types.JID, msg *waE2E.Message, req whatsmeow.SendRequestExtra) (types.MessageID, error) {
	if req.ID == "" {
		req.ID = p.cli.GenerateMessageID()
	}
	msg = p.timed(to, msg)
	p.showOwn(to, req.ID, msg)
	p.mu.Lock()
	if p.away {
		defer p.mu.Unlock()
		if len(p.waiting) >= maxWaiting {
			return req.ID, fmt.Errorf("%w: %d messages wait for the phone to be back", ErrTooMany, maxWaiting)
		}
		p.waiting = append(p.waiting, outgoing{to, msg, req})
		return req.ID, nil
	}
	p.mu.Unlock()
	return req.ID, p.transmit(ctx, outgoing{to, msg, req})
}

func (p *Phone) transmit(ctx context.Context, o outgoing) error {
	if m, ok := p.account.keys.EventBuffer.(*memory); ok {
		m.ratchets.Lock()
		defer m.ratchets.Unlock()
	}
	_, err := p.cli.SendMessage(ctx, o.to, o.msg, o.req)
	status := ownSent
	if err != nil {
		status = ownFailed
	}
	p.tick([]types.MessageID{o.req.ID}, status)
	return err
}

// catchUp sends the messages that have waited, in order.
func (p *Phone) catchUp(ctx context.Context) error {
	p.mu.Lock()
	waiting := p.waiting
	p.waiting = nil
	p.mu.Unlock()
	var failed []error
	for _, o := range waiting {
		failed = append(failed, p.transmit(ctx, o))
	}
	return errors.Join(failed...)
}

// showOwn shows a message that the phone sent in its chat.
func (p *Phone) showOwn(to types.JID, id types.MessageID, msg *waE2E.Message) {
	if inner := msg.GetEphemeralMessage().GetMessage(); inner != nil {
		msg = inner
	}
	if !shows(msg) {
		return
	}
	if a := p.s.find(to); a != nil {
		to = a.lid
	}
	m := &Message{ID: id, Time: time.Now(), Chat: to.ToNonAD(), From: p.account.lid, FromMe: true, Message: msg, Copies: 1, status: ownWaiting}
	m.parse()
	m.Message = nil // it is shown as text, and cannot be answered
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes++
	m.order, m.change = p.changes, p.changes
	if len(p.own) >= p.s.opts.Limits.Inbox {
		p.own = p.own[1:]
	}
	p.own = append(p.own, m)
	p.expireLater(m)
	p.changed()
}

// tick records a new state of messages that the phone sent.
func (p *Phone) tick(ids []types.MessageID, status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range slices.Backward(p.own) {
		if slices.Contains(ids, m.ID) && slices.Index(ownOrder, m.status) < slices.Index(ownOrder, status) {
			p.changes++
			m.status, m.change = status, p.changes
			p.changed()
		}
	}
}

func (p *Phone) ticked(ev *events.Receipt) {
	switch ev.Type {
	case types.ReceiptTypeDelivered:
		p.tick(ev.MessageIDs, ownDelivered)
	case types.ReceiptTypeRead:
		p.tick(ev.MessageIDs, ownRead)
	}
}
