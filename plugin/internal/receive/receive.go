// Package receive takes what WhatsApp delivers to an instance, a message or a receipt,
// to what is stored of it.
//
// What the package guarantees:
//
//   - A message is stored, as a click, as a message received or as nothing of interest,
//     when what [Receiver.Message] returns has said so; WhatsApp forgets it then. After an
//     error WhatsApp delivers it again.
//   - A message is taken out of its wrappers once, and the menus it may answer are read
//     once.
//   - A click and the message it came in are stored in one transaction, once per message
//     of the person who pressed, whether WhatsApp delivers it under the LID or the number.
//     What was decrypted goes along in the same transaction.
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

// Receiver stores what comes in. Its methods are the hooks of a pool.
type Receiver struct{ store *store.Store }

// New returns a receiver into a store.
func New(s *store.Store) *Receiver { return &Receiver{s} }

// arrived is one message on its way into the store.
type arrived struct {
	instance string
	keep     inbox.Message
	menus    []clicks.Menu       // those it may answer
	from     *session.Decryption // nil: there is nothing left to store of it
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
		default: // what was decrypted goes along with what these words turn out to be
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

// begin hands an event over to be stored, with what was decrypted.
func (r *Receiver) begin(ctx context.Context, a arrived, e outbox.Event, with outbox.With) (stored func() error) {
	return a.from.Begin(func(along func(*sqldb.Tx) error) func() error {
		wait := r.store.Outbox.Begin(ctx, e, along, with)
		return func() error {
			_, err := wait()
			return err
		}
	})
}

// menus reads those a message can answer: the one it names, however old, or else the
// chat's live ones.
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

// errWords undoes a click that was typed and that the menu's rules refuse: it stays
// what it was, words, which may answer something else.
var errWords = errors.New("the menu does not take these words as a click")

// click stores a click and, in the same transaction, lets its menu decide about it: a
// redelivered click is neither stored nor counted, and of two at once only one is first.
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

// words stores a message that is no click.
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

// event is the event about a message, with an id for each name of its sender: it is the
// same message whichever it comes under.
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

// kept is a message as it is stored with its event, so that it can be quoted.
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

// reason is nil for a press that was taken.
func reason(r menus.Refusal) *string {
	if r == "" {
		return nil
	}
	s := string(r)
	return &s
}

// timer stores what a message says about its chat's timer when nothing else of it is
// kept; nil: it says nothing.
func (r *Receiver) timer(ctx context.Context, instance string, t *clicks.Timer) error {
	if t == nil {
		return nil
	}
	return r.store.Inbox.SetTimer(ctx, instance, t.Chat, *timerOf(*t))
}

func timerOf(t clicks.Timer) *inbox.Timer {
	return &inbox.Timer{Seconds: t.Seconds, SetAt: t.At, Told: t.Told}
}

// Group is pool.Options.OnGroup: WhatsApp says that a group's timer was changed.
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

// receiptStates are the receipts that say how far a message came. The others are
// about our own devices, or ask for the message again.
var receiptStates = map[types.ReceiptType]ledger.State{
	types.ReceiptTypeDelivered: ledger.Delivered,
	types.ReceiptTypeInactive:  ledger.Delivered,
	types.ReceiptTypeRead:      ledger.Read,
	types.ReceiptTypePlayed:    ledger.Read,
}

// Receipt is pool.Options.OnReceipt. It also concludes a send whose answer was lost.
func (r *Receiver) Receipt(ctx context.Context, i *pool.Instance, got *events.Receipt) error {
	state, ok := receiptStates[got.Type]
	if !ok || got.IsFromMe { // another own device has it, which says nothing about the recipient
		return nil
	}
	told := ledger.Receipt{MessageIDs: got.MessageIDs, State: state, At: got.Timestamp}
	if got.Chat.Server == types.GroupServer {
		told.Member = member(ctx, i, got).ToNonAD().String()
	}
	return r.store.Ledger.Receipt(ctx, i.Name(), told)
}

// member is who a group's receipt is from, under the one name that tells it from the
// other members: the LID if it is known.
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
