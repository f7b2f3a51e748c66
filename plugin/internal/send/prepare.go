package send

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
	"github.com/tapnode/tapnode/sdk"
)

// prepare does everything that must precede the message except its encryption; the intent is
// written to disk together with the ratchets of that encryption.
func (s *Sender) prepare(ctx context.Context, call *sdk.Call, inst *pool.Instance, claim *ledger.Claim, o order) (pool.Outgoing, error) {
	to, chat, err := s.resolve(ctx, call, inst, &o)
	if err != nil {
		return pool.Outgoing{}, err
	}
	if len(o.rules.AllowedSenders) > 0 {
		if o.menu.Allowed, err = s.admit(ctx, inst, o); err != nil {
			return pool.Outgoing{}, err
		}
	}
	b := buttons.Send{MessageID: claim.Entry.MessageID}
	if o.replyTo != "" {
		if to, chat, b.Context, err = s.quote(ctx, o, to, chat); err != nil {
			return pool.Outgoing{}, err
		}
	}
	if toItself(inst, to) && o.menu.HasReply() {
		o.warn(call, ownNumber)
	}
	if err := s.Pauses.mayWrite(ctx, o.instance, chat); err != nil {
		return pool.Outgoing{}, err
	}
	inst.Meet(ctx, to)
	timer, err := s.timer(ctx, inst, o, to, chat)
	if err != nil {
		return pool.Outgoing{}, err
	}
	b.Context = buttons.Disappearing(b.Context, timer.Seconds, timer.Told)
	if o.header != nil {
		if b.Media, err = s.upload(ctx, call, inst, o, to); err != nil {
			return pool.Outgoing{}, err
		}
		for _, w := range b.Media.Warnings {
			o.warn(call, sdk.Warning(w))
		}
	}
	if o.delay > 0 {
		call.Progress("typing", "Typing", map[string]int{"seconds": o.delay})
		if err := inst.Type(ctx, to, time.Duration(o.delay)*time.Second); err != nil {
			return pool.Outgoing{}, problem.Of(err)
		}
	}
	b.At = time.Now()
	if life := o.rules.ExpiresIn; life != nil {
		o.menu.ExpiresAt = b.At.Add(time.Duration(*life) * time.Second)
	}
	message, nodes, profile := o.encode(b)
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(message)
	if err != nil {
		return pool.Outgoing{}, fmt.Errorf("encode the message: %w", err)
	}
	warnings, err := marshalWarnings(o.warnings)
	if err != nil {
		return pool.Outgoing{}, err
	}
	plan := ledger.Plan{
		Chat: chat, Profile: string(profile), Message: body, Menu: o.menu, Warnings: warnings,
		Source: o.output.Source, Correlation: call.Correlation,
	}
	s.Store.Ledger.Intend(claim, plan)
	out := pool.Outgoing{To: to, ID: claim.Entry.MessageID, Message: message, Nodes: nodes, Intent: &session.Rider{Write: claim.Store, About: claim.About()}}
	if b.Media != nil {
		out.MediaHandle = b.Media.Handle
	}
	return out, nil
}

// timer returns how long messages of the chat live. A person's phone reports it when it is set and
// with every message; for a group WhatsApp is asked once and reports changes from then on.
func (s *Sender) timer(ctx context.Context, inst *pool.Instance, o order, to types.JID, chat recipient.Chat) (inbox.Timer, error) {
	t, err := s.Store.Inbox.Timer(ctx, o.instance, chat)
	if err == nil || !errors.Is(err, sqldb.ErrNotFound) {
		return t, storage(err)
	}
	if to.Server != types.GroupServer {
		return inbox.Timer{}, nil
	}
	cli, err := inst.Client()
	if err != nil {
		return t, problem.Disconnected()
	}
	// whatsmeow sends the same query before its first message to a group, and reuses this answer.
	asking, cancel := context.WithTimeout(ctx, s.QueryTime)
	defer cancel()
	group, err := cli.GetGroupInfo(asking, to)
	if err != nil {
		return t, resolveProblem(o.what, err)
	}
	t = inbox.Timer{} // WhatsApp does not say since when, so any later report counts as newer
	if group.IsEphemeral {
		t.Seconds = group.DisappearingTimer
	}
	return t, storage(s.Store.Inbox.SetTimer(ctx, o.instance, chat, t))
}

func storage(err error) error {
	if err == nil {
		return nil
	}
	return problem.Storage(err)
}

// header is the media above a menu.
type header struct {
	url  string
	kind buttons.MediaType
}

// upload fetches the header and uploads it to WhatsApp's media servers, or reuses an earlier upload
// of the same file.
func (s *Sender) upload(ctx context.Context, call *sdk.Call, inst *pool.Instance, o order, to types.JID) (*buttons.Media, error) {
	cli, err := inst.Client()
	if err != nil {
		return nil, problem.Disconnected()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*s.MediaTime) // one for the download, one for the upload
	defer cancel()
	progress := func(stage string, done, total int64) {
		call.Progress(stage, "", map[string]int64{"bytes": done, "total": total})
	}
	var m *buttons.Media
	if to.Server == types.NewsletterServer {
		m, err = s.Media.ChannelHeader(ctx, cli, o.instance, o.header.url, o.header.kind, progress)
	} else {
		m, err = s.Media.Header(ctx, cli, o.instance, o.header.url, o.header.kind, progress)
	}
	if err != nil {
		return nil, mediaProblem(err)
	}
	return m, nil
}

func mediaProblem(err error) error {
	var failed *media.Error
	if !errors.As(err, &failed) {
		return err
	}
	if failed.Caller() {
		p := problem.Invalid("/mediaUrl", "MediaURL: "+failed.Message, "")
		p.Violations[0].Code = string(failed.Reason)
		if failed.Retry {
			return problem.Retryable(p, 10*time.Second)
		}
		return p
	}
	fault := sdk.FaultDownstream
	if failed.Reason == media.Internal {
		fault = sdk.FaultNode
	}
	p := problem.New(http.StatusInternalServerError, "send_failed", fault, "Failed to send buttons message: "+failed.Message)
	p.Err, p.Retryable = failed.Err, failed.Retry
	return p
}
