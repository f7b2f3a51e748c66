package send

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/sdk"
	"go.mau.fi/whatsmeow/types"
)

// deliver sends a message once per idempotency key, however often it is called.
func (s *Sender) deliver(ctx context.Context, call *sdk.Call, o order) (sdk.JSON, error) {
	inst, err := s.Pool.Under(ctx, o.instance, call.LeaseEpoch)
	if err != nil {
		return nil, problem.Of(err)
	}
	mark, err := fingerprint(o.request)
	if err != nil {
		return nil, err
	}
	claim, err := s.Store.Ledger.Begin(ctx, o.scope, o.instance, call.Key, mark)
	if err != nil {
		return nil, problem.Storage(err)
	}
	defer claim.Release()
	switch claim.Verdict {
	case ledger.Replay:
		out, err := replay(claim.Entry, o)
		if !o.replaced(err) {
			call.Replayed()
			err = errors.Join(err, o.warnAgain(call, claim.Entry))
		}
		return out, err
	case ledger.Mismatch:
		return nil, problem.New(http.StatusUnprocessableEntity, "idempotency_mismatch", sdk.FaultCaller,
			"The idempotency key belongs to another request; use a new key for a new message")
	case ledger.InFlight:
		return nil, problem.Retryable(problem.New(http.StatusConflict, "in_flight", sdk.FaultCaller,
			"A call with this idempotency key is still running; wait for its outcome"), time.Second)
	}
	if err := inst.Online(ctx); err != nil {
		return nil, problem.Disconnected()
	}
	var out pool.Outgoing
	if claim.Verdict == ledger.Resume {
		if out, err = outgoing(claim.Entry); err == nil {
			out.To, err = claim.Entry.Chat.Addressee()
		}
		if err == nil && out.To.Server == types.NewsletterServer {
			if out.MediaHandle, err = s.Media.Handle(ctx, o.instance, out.Message); err != nil {
				err = mediaProblem(err)
			}
		}
	} else {
		out, err = s.prepare(ctx, call, inst, claim, o)
	}
	if err != nil {
		return nil, err
	}
	return s.transmit(ctx, call, inst, claim, o, out)
}

// transmit sends a message whose intent is or will be on disk, and stores the outcome.
func (s *Sender) transmit(ctx context.Context, call *sdk.Call, inst *pool.Instance, claim *ledger.Claim, o order, out pool.Outgoing) (sdk.JSON, error) {
	limited, cancel := context.WithTimeout(ctx, s.SendTime)
	defer cancel()
	allowed := s.Pauses.mayWrite
	if claim.Verdict == ledger.Resume {
		allowed = s.Pauses.mayRepeat
	}
	out.Ready = func(ctx context.Context) error { return allowed(ctx, o.instance, claim.Entry.Chat) }
	out.Refused = func(code int) { s.Pauses.begin(ctx, o.instance, code) }
	sending, span := tracing.Begin(limited, "send to WhatsApp", "")
	ack, err := inst.Send(sending, out)
	span.End(err)
	last, stop := after(ctx)
	defer stop()
	chat, lid := claim.Entry.Chat, ""
	if ack.Chat.Server == types.HiddenUserServer {
		lid = ack.Chat.String()
		chat.LID = lid
	}
	if ack.Readdressed {
		s.numbers.forget(last, claim.Entry.Chat)
	}
	if err != nil {
		return nil, s.failed(last, inst, claim, o, lid, err)
	}
	sent := ledger.Outcome{State: ledger.Sent, ChatLID: lid, SentAt: ack.At}
	if ack.Missed > 0 {
		if sent.Warnings, err = warnPartial(call, claim.Entry.Warnings, ack); err != nil {
			return nil, err
		}
	}
	body, err := o.answer(out.ID, chat, ack.Chat, ack.At)
	if err != nil {
		return nil, err
	}
	sent.JSON = body
	if err := s.Store.Ledger.Conclude(last, claim, sent); err != nil {
		// The message has left: a repeat sends the same bytes under the same id.
		s.Log.Error("the outcome of a send could not be stored", "instance", o.instance, "error", err)
	}
	return body, nil
}

// failed stores what is known about a send that failed: that the message may have arrived, that
// WhatsApp refused it for good, or, for a first attempt, that nothing left.
func (s *Sender) failed(ctx context.Context, inst *pool.Instance, claim *ledger.Claim, o order, lid string, err error) error {
	prob, ack := sendProblem(o.what, err), 0
	if refused, ok := errors.AsType[*pool.SendError](err); ok {
		ack = refused.Code
	}
	if ack != 0 && unanswered(claim, time.Now()) {
		prob.Effect, prob.Retryable, prob.RetryAfter = sdk.EffectUnknown, true, 2*time.Second
		prob.Message += "; an earlier attempt may have arrived, which a receipt will tell: repeat with the same idempotency key"
	}
	if chat := claim.Entry.Chat; chat.Person() && (ack != 0 || errors.Is(err, pool.ErrNoDevice)) {
		s.numbers.forget(ctx, chat)
		if ack == ackNotUnderstood && claim.Verdict == ledger.Fresh && s.moved(ctx, inst, o.number, chat) {
			prob.Retryable, prob.RetryAfter = true, time.Second
			prob.Message += "; the number has another account by now: repeat the call"
		}
	}
	told := error(prob)
	switch {
	case prob.Effect == sdk.EffectUnknown:
		err = s.Store.Ledger.MarkUnknown(ctx, claim)
	case ack != 0 && !prob.Retryable:
		told = &refusedError{Problem: prob, ack: ack}
		var body []byte
		if body, err = json.Marshal(failure{Problem: prob, Ack: ack}); err == nil {
			err = s.Store.Ledger.Conclude(ctx, claim, ledger.Outcome{State: ledger.Failed, JSON: body, ChatLID: lid})
		}
	case claim.Verdict == ledger.Fresh:
		err = s.Store.Ledger.Withdraw(ctx, claim)
	default:
		err = nil
	}
	if err != nil {
		s.Log.Error("what became of a send could not be stored", "instance", o.instance, "error", err)
	}
	return told
}

// receiptTime is how long a receipt is awaited before WhatsApp's refusal of a repeat also counts
// for the attempt before it.
const receiptTime = 10 * time.Minute

// unanswered reports whether an earlier attempt left and may still turn out to have arrived. A
// refusal of the repeat says nothing about that attempt; only a receipt does. Until then neither a
// failure nor a fallback would be correct.
func unanswered(claim *ledger.Claim, now time.Time) bool {
	left := claim.Entry.UnknownAt
	if left.IsZero() {
		left = claim.Entry.CreatedAt
	}
	return claim.Verdict == ledger.Resume && now.Sub(left) < receiptTime
}
