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

// What the ticks beside a message of the phone's own say.
const (
	ownWaiting   = "waiting"   // the phone is off the net
	ownFailed    = "failed"    // the server has not taken it
	ownSent      = "sent"      // one tick
	ownDelivered = "delivered" // two
	ownRead      = "read"      // two in colour
)

// ownOrder is in which order the ticks come: none is taken back.
var ownOrder = []string{ownWaiting, ownFailed, ownSent, ownDelivered, ownRead}

// maxWaiting bounds what a phone that is off the net keeps for later.
const maxWaiting = 1_000

// outgoing is what a phone off the net sends when it is back.
type outgoing struct {
	to  types.JID
	msg *waE2E.Message
	req whatsmeow.SendRequestExtra
}

// send sends a message, or keeps it for Connect while the phone is off the net, as people's phones do.
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

// catchUp sends what has waited, in its order.
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

// showOwn puts a message of the phone's own in its chat.
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
	m.Message = nil // it is shown as text, and nobody answers it
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

// tick notes how far messages of the phone's own have come.
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
