package node

import (
	"context"
	"errors"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// resolve finds the account a request is for, and the names of its chat.
func (p *process) resolve(ctx context.Context, call *sdk.Call, inst *pool.Instance, d *delivery) (types.JID, store.Chat, error) {
	r, err := recipient.Parse(d.number)
	if err != nil { // Check has let it through; a number by expression has not been there
		return types.JID{}, store.Chat{}, numberProblem(err)
	}
	cli, err := inst.Client()
	if err != nil {
		return types.JID{}, store.Chat{}, disconnected()
	}
	res, err := recipient.Resolve(ctx, r, lookup{p.numbers, cli, p.settings.Timeouts.Query.duration()})
	if err != nil {
		return types.JID{}, store.Chat{}, resolveProblem(d.what, err)
	}
	if res.Warning != "" {
		d.warn(call, sdk.Warning{Pointer: "/number", Code: res.Warning, Message: res.Message})
	}
	if res.JID.Server == types.HiddenUserServer && res.Phone.IsEmpty() {
		// A click may come back under the phone number.
		if res.Phone, err = cli.Store.LIDs.GetPNForLID(ctx, res.JID); err != nil {
			p.log.Warn("the phone number of a LID could not be read", "instance", d.instance, "error", err)
		}
	}
	return res.JID, chatOf(res.JID, res.Phone), nil
}

func numberProblem(err error) *sdk.Problem {
	v := sdk.Violation{Pointer: "/number", Code: recipient.CodeInvalidNumber, Message: err.Error()}
	var bad *recipient.Error
	if errors.As(err, &bad) {
		v.Suggestion = bad.Suggestion
	}
	return sdk.Invalid(v)
}

func resolveProblem(what string, err error) error {
	if errors.Is(err, recipient.ErrNotOnWhatsApp) {
		return numberProblem(&recipient.Error{Detail: err.Error(), Suggestion: "check the number; it needs its country code"})
	}
	p := sendProblem(what, err)
	p.Effect = sdk.EffectNone // nothing but a question was sent
	return p
}

// quote finds the message to quote, and where the answer goes.
func (p *process) quote(ctx context.Context, d delivery, to types.JID, chat store.Chat) (types.JID, store.Chat, *waE2E.ContextInfo, error) {
	m, err := p.quotable(ctx, d, chat)
	if errors.Is(err, store.ErrNotFound) {
		return to, chat, nil, invalid("/replyTo", "ReplyTo: the message is not known to this instance", "use the id of a message that this instance sent or received")
	}
	if err != nil {
		return to, chat, nil, storeProblem(err)
	}
	if to.Server == types.NewsletterServer {
		// Everybody reads a channel: nothing of other chats, and nobody's number, goes there.
		if m.Chat.JID != to.String() {
			return to, chat, nil, invalid("/replyTo", "ReplyTo: a channel can only quote its own posts", "leave replyTo out, or name a post of this channel")
		}
		m.Sender = m.Chat.JID
	}
	q := buttons.Quoted{MessageID: d.replyTo, Original: &waE2E.Message{}}
	if q.Author, err = types.ParseJID(m.Sender); err == nil {
		err = proto.Unmarshal(m.Body, q.Original)
	}
	if err != nil {
		return to, chat, nil, storeProblem(err)
	}
	origin, err := types.ParseJID(m.Chat.JID)
	if d.replyPrivate && err == nil && origin.Server == types.GroupServer {
		q.Group = origin
		if !m.FromMe {
			to, chat = q.Author, chatOf(q.Author)
		}
	}
	return to, chat, buttons.Quote(q), nil
}

// quotable reads a received message, or one that we sent to the same chat.
func (p *process) quotable(ctx context.Context, d delivery, chat store.Chat) (store.Message, error) {
	m, err := p.store.Message(ctx, d.instance, d.replyTo)
	if !errors.Is(err, store.ErrNotFound) {
		return m, err
	}
	for _, form := range []string{chat.LID, chat.JID} {
		if form == "" {
			continue
		}
		e, err := p.store.MessageForRetry(ctx, d.instance, form, d.replyTo)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		inst, gone := p.pool.Get(d.instance)
		if err != nil || gone != nil {
			return m, errors.Join(err, gone)
		}
		own := inst.Account().LID
		if chat.LID == "" || own.IsEmpty() {
			own = inst.Account().JID
		}
		return store.Message{Chat: e.Chat, Sender: own.String(), FromMe: true, Body: e.Message}, nil
	}
	return m, store.ErrNotFound
}
