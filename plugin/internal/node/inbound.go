package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
)

// receive is pool.Options.OnMessage: a message becomes a click, a message received,
// or nothing. It is stored when receive returns nil; WhatsApp forgets it then.
func (p *process) receive(ctx context.Context, i *pool.Instance, m *events.Message) error {
	instance := i.Name()
	if click, ok := clicks.FromMessage(m.Message, m.Info); ok {
		menus, err := p.menus(ctx, instance, click)
		if err != nil {
			return err
		}
		if match := clicks.Correlate(click, menus); clicks.IsClick(click, match) {
			keep, err := kept(instance, m, click.Chat, click.Sender)
			if err != nil {
				return err
			}
			if err := p.clicked(ctx, keep, click, match); !errors.Is(err, errWords) {
				return err
			}
		}
	}
	r, ok := clicks.ReceivedFromMessage(m.Message, m.Info)
	if !ok {
		return nil
	}
	keep, err := kept(instance, m, r.Chat, r.Sender)
	if err != nil {
		return err
	}
	return p.received(ctx, keep, r)
}

// menus reads those a click can be on: the one it names, however old, or else the
// chat's live ones.
func (p *process) menus(ctx context.Context, instance string, c clicks.Click) ([]clicks.Menu, error) {
	if c.QuotedID != "" {
		named, err := p.store.Menu(ctx, instance, c.QuotedID)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		return []clicks.Menu{menuOf(named)}, err
	}
	live, err := p.store.LiveMenus(ctx, instance, chatOfParty(c.Chat.Party), c.At)
	if err != nil {
		return nil, err
	}
	menus := make([]clicks.Menu, 0, len(live))
	for _, m := range live {
		menus = append(menus, menuOf(m))
	}
	return menus, nil
}

// errWords undoes a click that was typed and that the menu's rules refuse: it stays
// what it was, words, which may answer something else.
var errWords = errors.New("the menu does not take these words as a click")

func (p *process) clicked(ctx context.Context, keep *store.Message, c clicks.Click, m clicks.Match) error {
	instance := keep.Instance
	event := clicks.NewClicked(instance, c, m)
	e := store.Event{
		ID:   store.EventID(clicks.TypeClicked, instance, c.Chat.JID, c.Sender.JID, c.MessageID),
		Type: clicks.TypeClicked, Instance: instance, Subject: instance, Time: c.At, Message: keep,
	}
	if m.Menu == nil {
		data, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("encode the click: %w", err)
		}
		e.Data = data
		_, err = p.store.Append(ctx, e)
		return err
	}
	e.Correlation = m.Menu.Correlation
	press := store.Press{MessageID: m.Menu.MessageID, People: c.Sender.Keys()}
	_, err := p.store.AppendClick(ctx, e, press, func(n store.Count) ([]byte, error) {
		if n.Refused != "" && c.Form == clicks.FormText {
			return nil, errWords
		}
		event.Click = clicks.Count{First: n.N == 1, N: n.N, LateByMs: n.Late.Milliseconds(), Refused: text(string(n.Refused))}
		return json.Marshal(event)
	})
	return err
}

func (p *process) received(ctx context.Context, keep *store.Message, r clicks.Received) error {
	instance := keep.Instance
	menus, err := p.menus(ctx, instance, r.Click())
	if err != nil {
		return err
	}
	match := clicks.Answers(r.Click(), menus)
	data, err := json.Marshal(clicks.NewMessageReceived(instance, r, match))
	if err != nil {
		return fmt.Errorf("encode the message: %w", err)
	}
	e := store.Event{
		ID:   store.EventID(clicks.TypeReceived, instance, r.Chat.JID, r.Sender.JID, r.MessageID),
		Type: clicks.TypeReceived, Instance: instance, Subject: instance, Time: r.At, Data: data, Message: keep,
	}
	if match.Menu != nil {
		e.Correlation = match.Menu.Correlation
	}
	_, err = p.store.Append(ctx, e)
	return err
}

// kept is a message as it is stored with its event, so that it can be quoted.
func kept(instance string, m *events.Message, chat clicks.Chat, sender clicks.Sender) (*store.Message, error) {
	body, err := proto.Marshal(m.Message)
	if err != nil {
		return nil, fmt.Errorf("encode the message to keep: %w", err)
	}
	return &store.Message{
		Instance: instance, ID: m.Info.ID, Chat: chatOfParty(chat.Party), Sender: sender.JID,
		Body: body, SentAt: m.Info.Timestamp,
	}, nil
}

func chatOfParty(p clicks.Party) store.Chat {
	c := store.Chat{JID: p.JID}
	if p.LID != nil {
		c.LID = *p.LID
		if c.JID == c.LID {
			c.JID = ""
		}
	}
	if p.Phone != nil {
		c.JID = *p.Phone + "@s.whatsapp.net"
	}
	return c
}

func menuOf(m store.Menu) clicks.Menu {
	out := clicks.Menu{
		MessageID: m.MessageID, SentAt: m.SentAt, Source: m.Source, Correlation: m.Correlation,
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
