package send

import (
	"context"
	"errors"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// quote finds the message to quote and the chat where the answer goes.
func (s *Sender) quote(ctx context.Context, o order, to types.JID, chat recipient.Chat) (types.JID, recipient.Chat, *waE2E.ContextInfo, error) {
	m, err := s.quotable(ctx, o, chat)
	if errors.Is(err, sqldb.ErrNotFound) {
		return to, chat, nil, problem.Invalid("/replyTo", "ReplyTo: the message is not known to this instance", "use the id of a message that this instance sent or received")
	}
	if err != nil {
		return to, chat, nil, problem.Storage(err)
	}
	if to.Server == types.NewsletterServer {
		// A channel is public: content of other chats and phone numbers must not be quoted there.
		if m.Chat.JID != to.String() {
			return to, chat, nil, problem.Invalid("/replyTo", "ReplyTo: a channel can only quote its own posts", "leave replyTo out, or name a post of this channel")
		}
		m.Sender = m.Chat.JID
	}
	q := buttons.Quoted{MessageID: o.replyTo, Original: &waE2E.Message{}}
	if q.Author, err = types.ParseJID(m.Sender); err == nil {
		err = proto.Unmarshal(m.Body, q.Original)
	}
	if err != nil {
		return to, chat, nil, problem.Storage(err)
	}
	origin, err := types.ParseJID(m.Chat.JID)
	if o.replyPrivate && err == nil && origin.Server == types.GroupServer {
		q.Group = origin
		if !m.FromMe {
			to, chat = q.Author, recipient.ChatOf(q.Author)
		}
	}
	return to, chat, buttons.Quote(q), nil
}

// quotable reads a received message, or one that we sent to the same chat.
func (s *Sender) quotable(ctx context.Context, o order, chat recipient.Chat) (inbox.Message, error) {
	m, err := s.Store.Inbox.Get(ctx, o.instance, o.replyTo)
	if !errors.Is(err, sqldb.ErrNotFound) {
		return m, err
	}
	for _, form := range []string{chat.LID, chat.JID} {
		if form == "" {
			continue
		}
		e, err := s.Store.Ledger.MessageForRetry(ctx, o.instance, form, o.replyTo)
		if errors.Is(err, sqldb.ErrNotFound) {
			continue
		}
		inst, gone := s.Pool.Get(o.instance)
		if err != nil || gone != nil {
			return m, errors.Join(err, gone)
		}
		own := inst.Account().LID
		if chat.LID == "" || own.IsEmpty() {
			own = inst.Account().JID
		}
		return inbox.Message{Chat: e.Chat, Sender: own.String(), FromMe: true, Body: e.Message}, nil
	}
	return m, sqldb.ErrNotFound
}
