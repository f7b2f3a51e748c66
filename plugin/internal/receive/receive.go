// Package receive stores the messages and receipts that WhatsApp delivers to an instance.
//
// What the package guarantees:
//
//   - A message is stored as a click or as a received message, or ignored as irrelevant, once the
//     function returned by [Receiver.Message] has reported success; only then does WhatsApp forget
//     it. After an error WhatsApp delivers it again.
//   - A message is unwrapped once, and the menus it may answer are read once.
//   - A click and its message are stored in one transaction, once per message of the person who
//     pressed the button, whether WhatsApp delivers it under the LID or the phone number. The
//     message's decryption is stored in the same transaction.
package receive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// Receiver stores incoming events. Its methods are the hooks of a pool.
type Receiver struct{ store *store.Store }

// New returns a receiver that writes to a store.
func New(s *store.Store) *Receiver { return &Receiver{s} }

// arrived is one message on its way into the store.
type arrived struct {
	instance string
	keep     inbox.Message
	menus    []clicks.Menu       // menus the message may answer
	from     *session.Decryption // its decryption; nil: nothing of it is left to store
}

// Message is pool.Options.OnMessage.
func (r *Receiver) Message(ctx context.Context, i *pool.Instance, m *events.Message, from *session.Decryption) (stored func() error, err error) {
	in := clicks.Read(m.Message, m.Info)
	answer := in.Answer()
	if answer == nil {
		return nil, r.timer(ctx, i.Name(), in.Timer)
	}
	a := arrived{instance: i.Name(), from: from}
	if a.keep, err = kept(i.Name(), m, *answer); err != nil {
		return nil, err
	}
	if in.Timer != nil {
		a.keep.Timer = timerOf(*in.Timer)
	}
	if a.menus, err = r.menus(ctx, i.Name(), *answer); err != nil {
		return nil, err
	}
	if in.Click != nil {
		match := clicks.Correlate(*in.Click, a.menus)
		switch typed := in.Click.Form == clicks.FormText; {
		case !clicks.IsClick(*in.Click, match):
		case !typed:
			return r.click(ctx, a, *in.Click, match), nil
		default: // this attempt may be undone, so the decryption is stored with the final event
			a := a
			a.from = nil
			if err := r.click(ctx, a, *in.Click, match)(); !errors.Is(err, errWords) {
				return nil, err
			}
		}
	}
	if in.Received == nil {
		return nil, nil
	}
	return r.words(ctx, a, *in.Received)
}

// begin starts storing an event together with the message's decryption.
func (r *Receiver) begin(ctx context.Context, a arrived, e outbox.Event, with outbox.With) (stored func() error) {
	return a.from.Begin(func(along func(*sqldb.Tx) error) func() error {
		wait := r.store.Outbox.Begin(ctx, e, along, with)
		return func() error {
			_, err := wait()
			return err
		}
	})
}

// menus reads the menus that a message may answer: the menu it quotes, however old, or otherwise
// the chat's live menus.
func (r *Receiver) menus(ctx context.Context, instance string, c clicks.Click) ([]clicks.Menu, error) {
	if c.QuotedID != "" {
		if err := r.store.Ledger.Followed(ctx, instance, c.QuotedID); err != nil {
			return nil, err
		}
		named, err := r.store.Menus.Get(ctx, instance, c.QuotedID)
		if errors.Is(err, sqldb.ErrNotFound) {
			return nil, nil
		}
		return []clicks.Menu{menuOf(named)}, err
	}
	live, err := r.store.Menus.Live(ctx, instance, chatOf(c.Chat.Party), c.At)
	if err != nil {
		return nil, err
	}
	found := make([]clicks.Menu, 0, len(live))
	for _, m := range live {
		found = append(found, menuOf(m))
	}
	return found, nil
}

// errWords undoes a typed click that the menu's rules refuse: it remains an ordinary text, which
// may answer something else.
var errWords = errors.New("the menu does not take these words as a click")

// click stores a click and, in the same transaction, applies the rules of its menu: a redelivered
// click is neither stored nor counted again, and of two simultaneous clicks only one is the first.
// A refused click is stored without its correlation, so that it answers nothing.
func (r *Receiver) click(ctx context.Context, a arrived, c clicks.Click, m clicks.Match) (stored func() error) {
	event := clicks.NewClicked(a.instance, c, m)
	e := a.event(clicks.TypeClicked, c)
	end := func(err error) error { return err }
	if m.Menu != nil {
		var span tracing.Span
		ctx, span = tracing.Begin(ctx, "click", m.Menu.Traceparent)
		end = func(err error) error {
			span.End(err)
			return err
		}
		e.Traceparent = span.Traceparent()
	}
	wait := r.begin(ctx, a, e, func(t *sqldb.Tx, e outbox.Event, insert func(outbox.Event) error) error {
		store := func() (err error) {
			if e.Data, err = json.Marshal(event); err != nil {
				return fmt.Errorf("encode the click: %w", err)
			}
			if err = r.store.Inbox.Keep(t, a.keep); err != nil {
				return err
			}
			return insert(e)
		}
		if m.Menu == nil {
			return store()
		}
		press := menus.Press{MessageID: m.Menu.MessageID, People: c.Sender.Keys()}
		return press.Count(t, a.instance, c.At, func(count menus.Count) error {
			if count.Refused == "" {
				e.Correlation = m.Menu.Correlation
			} else if c.Form == clicks.FormText {
				return errWords
			}
			event.Click = clicks.Count{First: count.N == 1, N: count.N, LateByMs: count.Late.Milliseconds(), Refused: reason(count.Refused)}
			return store()
		})
	})
	return func() error { return end(wait()) }
}

// words stores a message that is not a click.
func (r *Receiver) words(ctx context.Context, a arrived, m clicks.Received) (stored func() error, err error) {
	answer := m.Click()
	match := clicks.Answers(answer, a.menus)
	data, err := json.Marshal(clicks.NewMessageReceived(a.instance, m, match))
	if err != nil {
		return nil, fmt.Errorf("encode the message: %w", err)
	}
	e := a.event(clicks.TypeReceived, answer)
	e.Data = data
	if match.Menu != nil {
		e.Correlation, e.Traceparent = match.Menu.Correlation, match.Menu.Traceparent
	}
	return r.begin(ctx, a, e, func(t *sqldb.Tx, e outbox.Event, insert func(outbox.Event) error) error {
		if err := r.store.Inbox.Keep(t, a.keep); err != nil {
			return err
		}
		return insert(e)
	}), nil
}

// event returns the event for a message, with one id for each address of its sender: it is the same
// message under any of them.
func (a arrived) event(kind string, c clicks.Click) outbox.Event {
	e := outbox.Event{Type: kind, Instance: a.instance, Subject: a.instance, Time: c.At}
	for _, name := range c.Sender.Keys() {
		chat := name
		if c.Chat.Type == clicks.Group {
			chat = c.Chat.JID
		}
		e.Also = append(e.Also, outbox.EventID(kind, a.instance, chat, name, c.MessageID))
	}
	e.ID, e.Also = e.Also[0], e.Also[1:]
	return e
}

// kept returns the message in the form stored with its event, so that it can be quoted.
func kept(instance string, m *events.Message, c clicks.Click) (inbox.Message, error) {
	body, err := proto.Marshal(m.Message)
	if err != nil {
		return inbox.Message{}, fmt.Errorf("encode the message to keep: %w", err)
	}
	return inbox.Message{
		Instance: instance, ID: m.Info.ID, Chat: chatOf(c.Chat.Party), Sender: c.Sender.JID,
		Body: body, SentAt: m.Info.Timestamp,
	}, nil
}

func chatOf(p clicks.Party) recipient.Chat {
	c := recipient.Chat{JID: p.JID}
	if p.LID != nil {
		c.LID = *p.LID
		if c.JID == c.LID {
			c.JID = ""
		}
	}
	if p.Phone != nil {
		c.JID = types.NewJID(*p.Phone, types.DefaultUserServer).String()
	}
	return c
}

func menuOf(m menus.Menu) clicks.Menu {
	out := clicks.Menu{
		MessageID: m.MessageID, SentAt: m.SentAt, Source: m.Source, Correlation: m.Correlation, Traceparent: m.Traceparent,
		AsText: m.AsText, ExpiresAt: m.ExpiresAt, Allowed: m.Allowed,
	}
	for _, jid := range []string{m.Chat.JID, m.Chat.LID} {
		if jid != "" {
			out.Chat = append(out.Chat, jid)
		}
	}
	for _, b := range m.Buttons {
		out.Buttons = append(out.Buttons, buttons.Button{ID: b.ID, DisplayText: b.DisplayText, Type: buttons.Type(b.Type)})
	}
	return out
}

// reason returns nil for a click that was accepted.
func reason(r menus.Refusal) *string {
	if r == "" {
		return nil
	}
	s := string(r)
	return &s
}

// timer stores the chat's timer from a message that is otherwise not kept; t is nil if the message
// does not mention the timer.
func (r *Receiver) timer(ctx context.Context, instance string, t *clicks.Timer) error {
	if t == nil {
		return nil
	}
	return r.store.Inbox.SetTimer(ctx, instance, t.Chat, *timerOf(*t))
}

func timerOf(t clicks.Timer) *inbox.Timer {
	return &inbox.Timer{Seconds: t.Seconds, SetAt: t.At, Told: t.Told}
}

// Group is pool.Options.OnGroup. It stores a change of the group's timer.
func (r *Receiver) Group(ctx context.Context, i *pool.Instance, g *events.GroupInfo) error {
	if g.Ephemeral == nil {
		return nil
	}
	t := inbox.Timer{SetAt: g.Timestamp}
	if g.Ephemeral.IsEphemeral {
		t.Seconds = g.Ephemeral.DisappearingTimer
	}
	return r.store.Inbox.SetTimer(ctx, i.Name(), recipient.ChatOf(g.JID), t)
}

// receiptStates maps the receipts that report a message's progress. All others concern our own
// devices or ask for the message again.
var receiptStates = map[types.ReceiptType]ledger.State{
	types.ReceiptTypeDelivered: ledger.Delivered,
	types.ReceiptTypeInactive:  ledger.Delivered,
	types.ReceiptTypeRead:      ledger.Read,
	types.ReceiptTypePlayed:    ledger.Read,
}

// Receipt is pool.Options.OnReceipt. It also concludes a send whose answer was lost.
func (r *Receiver) Receipt(ctx context.Context, i *pool.Instance, got *events.Receipt) error {
	state, ok := receiptStates[got.Type]
	if !ok || got.IsFromMe { // sent by another of our devices, so it says nothing about the recipient
		return nil
	}
	told := ledger.Receipt{MessageIDs: got.MessageIDs, State: state, At: got.Timestamp}
	if got.Chat.Server == types.GroupServer {
		told.Member = member(ctx, i, got).ToNonAD().String()
	}
	return r.store.Ledger.Receipt(ctx, i.Name(), told)
}

// member returns the sender of a group's receipt under the one address that distinguishes it from
// the other members: the LID if it is known.
func member(ctx context.Context, i *pool.Instance, got *events.Receipt) types.JID {
	for _, jid := range []types.JID{got.Sender, got.SenderAlt} {
		if jid.Server == types.HiddenUserServer {
			return jid
		}
	}
	if cli, err := i.Client(); err == nil {
		if lid, err := cli.Store.LIDs.GetLIDForPN(ctx, got.Sender); err == nil && !lid.IsEmpty() {
			return lid
		}
	}
	return got.Sender
}
