package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// delivery is one message to one chat, from the request to the outcome.
type delivery struct {
	scope        string // of the idempotency key: the operation, or a part of it
	what         string // "buttons" or "text", for the seed's sentence
	request      any    // what the key stands for
	instance     string
	number       string
	delay        seconds
	replyTo      string
	replyPrivate bool
	header       *header // media to upload; nil for none

	// encode makes the message; profile is empty when it has no stanza nodes.
	encode func(s buttons.Send) (m *waE2E.Message, nodes []waBinary.Node, profile buttons.Profile)
	menu   *store.Menu  // what its buttons lead to; nil without buttons
	rules  buttons.Menu // which clicks it takes
	output output       // without what only the ledger and WhatsApp know

	fallback bool          // a refusal of the shape is not the end: the menu goes as text
	warnings []sdk.Warning // for the ledger; the caller has them already
}

// replaced reports whether a failed delivery is followed by one in another shape.
func (d delivery) replaced(err error) bool {
	refused, ok := errors.AsType[*refusedError](err)
	return ok && d.fallback && refusesButtons(refused.ack)
}

// output is the answer of both send operations.
type output struct {
	MessageID   string     `json:"messageId"`
	Content     string     `json:"content"`
	MessageType string     `json:"messageType"`
	RenderedAs  string     `json:"renderedAs,omitempty"`
	Status      string     `json:"status"`
	Instance    string     `json:"instance"`
	Chat        outputChat `json:"chat"`
	SentAt      time.Time  `json:"sentAt"`
	ReplyTo     *quotedID  `json:"replyTo,omitempty"`
	Source      string     `json:"source,omitempty"`
}

type outputChat struct {
	JID   string  `json:"jid"`
	LID   *string `json:"lid"`
	Phone *string `json:"phone"`
}

type quotedID struct {
	MessageID string `json:"messageId"`
}

// failure is a final outcome in the ledger.
type failure struct {
	Problem *sdk.Problem `json:"problem"`
	Ack     int          `json:"ack"` // the number WhatsApp refused with
}

// refusedError is a message that WhatsApp refused for good.
type refusedError struct {
	*sdk.Problem
	ack int
}

// Unwrap lets the sdk find the Problem.
func (e *refusedError) Unwrap() error { return e.Problem }

// deliver sends a message once per key, however often it is called.
func (p *process) deliver(ctx context.Context, call *sdk.Call, d delivery) (sdk.JSON, error) {
	inst, err := p.pool.Get(d.instance)
	if err == nil {
		err = inst.Lease(ctx, call.LeaseEpoch)
	}
	if err != nil {
		return nil, poolProblem(err)
	}
	mark, err := fingerprint(d.request)
	if err != nil {
		return nil, err
	}
	claim, err := p.store.Begin(ctx, d.scope, call.Key, d.instance, mark)
	if err != nil {
		return nil, storeProblem(err)
	}
	defer claim.Release()
	switch claim.Verdict {
	case store.Replay:
		out, err := replay(claim.Entry, d)
		if !d.replaced(err) {
			call.Replayed()
			err = errors.Join(err, d.warnAgain(call, claim.Entry))
		}
		return out, err
	case store.Mismatch:
		return nil, problem(http.StatusUnprocessableEntity, codeMismatch, sdk.FaultCaller,
			"The idempotency key belongs to another request; use a new key for a new message")
	case store.InFlight:
		return nil, retryable(problem(http.StatusConflict, codeInFlight, sdk.FaultCaller,
			"A call with this idempotency key is still running; wait for its outcome"), time.Second)
	}
	if err := inst.Online(ctx); err != nil {
		return nil, disconnected()
	}
	var out pool.Outgoing
	if claim.Verdict == store.Resume {
		if out, err = outgoing(claim.Entry); err == nil {
			out.To, err = addressee(claim.Entry.Chat)
		}
		if err == nil && out.To.Server == types.NewsletterServer {
			if out.MediaHandle, err = p.media.Handle(ctx, d.instance, out.Message); err != nil {
				err = mediaProblem(err)
			}
		}
	} else {
		out, err = p.prepare(ctx, call, inst, claim, d)
	}
	if err != nil {
		return nil, err
	}
	return p.send(ctx, inst, claim, d, out)
}

// send sends what is on disk as an intent, and stores how that ended.
func (p *process) send(ctx context.Context, inst *pool.Instance, claim *store.Claim, d delivery, out pool.Outgoing) (sdk.JSON, error) {
	limited, cancel := context.WithTimeout(ctx, p.settings.Timeouts.Send.duration())
	defer cancel()
	allowed := p.mayWrite
	if claim.Verdict == store.Resume {
		allowed = p.mayRepeat
	}
	out.Ready = func(ctx context.Context) error { return allowed(ctx, d.instance, claim.Entry.Chat) }
	out.Refused = func(code int) { p.pauseAfter(ctx, d.instance, code) }
	ack, err := inst.Send(limited, out)
	last, stop := after(ctx)
	defer stop()
	if err != nil {
		return nil, p.failed(last, claim, d, err)
	}
	chat, lid := claim.Entry.Chat, ""
	if ack.Chat.Server == types.HiddenUserServer {
		lid = ack.Chat.String()
		chat.LID = lid
	}
	body, err := d.answer(out.ID, chat, ack.Chat, ack.At)
	if err != nil {
		return nil, err
	}
	if err := p.store.Settle(last, claim, store.Outcome{State: store.Sent, JSON: body, ChatLID: lid, SentAt: ack.At}); err != nil {
		// The message is out: a repeat sends the same bytes under the same id.
		p.log.Error("the outcome of a send could not be stored", "instance", d.instance, "error", err)
	}
	return body, nil
}

// failed stores what is known about a send that did not work.
func (p *process) failed(ctx context.Context, claim *store.Claim, d delivery, err error) error {
	prob := sendProblem(d.what, err)
	var refused *pool.SendError
	if claim.Verdict == store.Resume && prob.Effect == sdk.EffectNone && errors.As(err, &refused) {
		// An earlier attempt left, and its answer was lost. That WhatsApp refuses the
		// repeat says nothing about it: only a receipt does, and until then neither a
		// failure nor a fallback is true.
		prob.Effect, prob.Retryable, prob.RetryAfter = sdk.EffectUnknown, true, 2*time.Second
		prob.Message += "; an earlier attempt may have arrived, which a receipt will tell: repeat with the same idempotency key"
	}
	switch {
	case prob.Effect == sdk.EffectUnknown:
		if err := p.store.MarkUnknown(ctx, claim); err != nil {
			p.log.Error("an unknown outcome could not be stored", "instance", d.instance, "error", err)
		}
	case !prob.Retryable && errors.As(err, &refused):
		f := failure{Problem: prob, Ack: refused.Code}
		body, err := json.Marshal(f)
		if err == nil {
			err = p.store.Settle(ctx, claim, store.Outcome{State: store.Failed, JSON: body})
		}
		if err != nil {
			p.log.Error("the failure of a send could not be stored", "instance", d.instance, "error", err)
		}
		return &refusedError{Problem: prob, ack: refused.Code}
	}
	return prob
}

// answer is the output of a message that arrived at the server.
func (d delivery) answer(id string, chat store.Chat, went types.JID, at time.Time) (sdk.JSON, error) {
	out := d.output
	out.MessageID, out.Status, out.Instance, out.SentAt = id, "sent", d.instance, at.UTC()
	out.Chat = outputChat{JID: went.ToNonAD().String(), LID: text(chat.LID)}
	if jid, err := types.ParseJID(chat.JID); err == nil && jid.Server == types.DefaultUserServer {
		out.Chat.Phone = text(jid.User)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encode the output: %w", err)
	}
	return body, nil
}

// replay answers with the stored outcome.
func replay(e store.Entry, d delivery) (sdk.JSON, error) {
	if e.State == store.Failed {
		var f failure
		if err := json.Unmarshal(e.Outcome, &f); err != nil || f.Problem == nil {
			return nil, fmt.Errorf("read the stored failure: %w", err)
		}
		return nil, &refusedError{Problem: f.Problem, ack: f.Ack}
	}
	if len(e.Outcome) > 0 {
		return sdk.JSON(e.Outcome), nil
	}
	to, err := addressee(e.Chat) // no answer came, but a receipt proved the delivery
	if err != nil {
		return nil, err
	}
	return d.answer(e.MessageID, e.Chat, to, e.UpdatedAt)
}

// fingerprint tells requests under one key apart.
func fingerprint(request any) (string, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return "", fmt.Errorf("fingerprint the request: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// prepare does everything before the message may leave, ending with the intent on
// disk.
func (p *process) prepare(ctx context.Context, call *sdk.Call, inst *pool.Instance, claim *store.Claim, d delivery) (pool.Outgoing, error) {
	to, chat, err := p.resolve(ctx, call, inst, &d)
	if err != nil {
		return pool.Outgoing{}, err
	}
	if len(d.rules.AllowedSenders) > 0 {
		if d.menu.Allowed, err = p.admit(ctx, inst, d); err != nil {
			return pool.Outgoing{}, err
		}
	}
	s := buttons.Send{MessageID: claim.Entry.MessageID}
	if d.replyTo != "" {
		if to, chat, s.Quote, err = p.quote(ctx, d, to, chat); err != nil {
			return pool.Outgoing{}, err
		}
	}
	if err := p.mayWrite(ctx, d.instance, chat); err != nil {
		return pool.Outgoing{}, err
	}
	if d.header != nil {
		if s.Media, err = p.upload(ctx, call, inst, d, to); err != nil {
			return pool.Outgoing{}, err
		}
	}
	if d.delay > 0 {
		call.Progress("typing", "Typing", map[string]int{"seconds": int(d.delay)})
		if err := inst.Type(ctx, to, d.delay.duration()); err != nil {
			return pool.Outgoing{}, poolProblem(err)
		}
	}
	s.At = time.Now()
	if life := d.rules.ExpiresIn; life != nil {
		d.menu.ExpiresAt = s.At.Add(time.Duration(*life) * time.Second)
	}
	message, nodes, profile := d.encode(s)
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return pool.Outgoing{}, fmt.Errorf("encode the message: %w", err)
	}
	warnings, err := marshalWarnings(d.warnings)
	if err != nil {
		return pool.Outgoing{}, err
	}
	plan := store.Plan{
		Chat: chat, Profile: string(profile), Message: body, Menu: d.menu, Warnings: warnings,
		Source: d.output.Source, Correlation: call.Correlation,
	}
	if err := p.store.Intend(ctx, claim, plan); err != nil {
		return pool.Outgoing{}, storeProblem(err)
	}
	out := pool.Outgoing{To: to, ID: claim.Entry.MessageID, Message: message, Nodes: nodes}
	if s.Media != nil {
		out.MediaHandle = s.Media.Handle
	}
	return out, nil
}

// addressee is where a stored message goes: to the phone form if it is known, as at
// first.
func addressee(c store.Chat) (types.JID, error) {
	s := c.LID
	if s == "" {
		s = c.JID
	}
	jid, err := types.ParseJID(s)
	if err != nil {
		return jid, fmt.Errorf("read the stored chat: %w", err)
	}
	return jid, nil
}
