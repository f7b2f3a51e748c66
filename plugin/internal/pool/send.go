package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// Outgoing is one message to send.
type Outgoing struct {
	To      types.JID // without a device
	ID      types.MessageID
	Message *waE2E.Message // whatsmeow may modify it
	Nodes   []waBinary.Node
	// MediaHandle names the uploaded file of a channel's post (whatsmeow.UploadResponse.Handle).
	MediaHandle string
	// Intent is written to disk before the message leaves: with the first ratchets stored for the
	// message, or on its own for a channel's post, which has none. Optional.
	Intent *session.Rider
	// Ready is called in the instance's turn; if it returns an error, the message does not leave.
	// Optional.
	Ready func(ctx context.Context) error
	// Refused is called with the code of WhatsApp's refusal, still within the turn. Optional.
	Refused func(code int)
}

// Ack is the server's confirmation that it accepted a message.
type Ack struct {
	At   time.Time
	Chat types.JID // the chat the message went to: for a person, the LID
	// Missed is how many of the recipient's Devices the message could not be encrypted for. They
	// get it later, or when they ask for it.
	Missed, Devices int
	// Readdressed reports that, according to WhatsApp, the recipient now has another address.
	Readdressed bool
}

// Send sends a message in the instance's turn. Its error is a *SendError; or, when the message did
// not leave, ErrNotConnected, ErrBusy, registry.ErrLeaseLost, the error of Ready or the context's
// error. Some errors come with a known Ack.Chat.
func (i *Instance) Send(ctx context.Context, out Outgoing) (Ack, error) {
	release, err := i.take(ctx)
	if errors.Is(err, context.DeadlineExceeded) { // must not look like a lost answer
		err = fmt.Errorf("%w: its turn did not come before the deadline", ErrBusy)
	}
	if err != nil {
		return Ack{}, err
	}
	defer release()
	if i.pace != nil {
		if err := i.pace.Wait(ctx); err != nil {
			return Ack{}, fmt.Errorf("%w: the pacing limit leaves no room before the deadline", ErrBusy)
		}
	}
	if err := i.leased(ctx); err != nil { // checked as late as possible: the wait for the turn may have been long
		return Ack{}, err
	}
	if out.Ready != nil {
		if err := out.Ready(ctx); err != nil {
			return Ack{}, err
		}
	}
	cli, err := i.Client()
	if err != nil {
		return Ack{}, err
	}
	message := out.Message
	out.Message = proto.CloneOf(message) // whatsmeow modifies it
	ack, err := i.send(ctx, cli, out)
	if refused, ok := errors.AsType[*SendError](err); ok && refused.Code == staleGroup && out.To.Server == types.GroupServer {
		// whatsmeow addressed the message by its outdated record of the group. WhatsApp accepted
		// none of it, so it can be sent again as soon as the group has been queried anew.
		if _, err := cli.GetGroupInfo(ctx, out.To); err != nil {
			return ack, Grade(err)
		}
		out.Message = message
		return i.send(ctx, cli, out)
	}
	return ack, err
}

// staleGroup is WhatsApp's refusal code when the addressing of the group has changed.
const staleGroup = 421

// send passes the message to whatsmeow; the caller holds the turn.
func (i *Instance) send(ctx context.Context, cli *whatsmeow.Client, out Outgoing) (Ack, error) {
	extra := whatsmeow.SendRequestExtra{ID: out.ID, Timeout: i.pool.opts.Limits.Ack, MediaHandle: out.MediaHandle}
	if len(out.Nodes) > 0 {
		extra.AdditionalNodes = &out.Nodes
	}
	dials, devices := i.dials.Load(), i.newFanout(cli, out.To)
	if out.Intent != nil && out.To.Server == types.NewsletterServer && !out.Intent.There() {
		if err := i.pool.opts.Devices.Store(ctx, out.Intent); err != nil {
			return Ack{}, &SendError{Err: err}
		}
	}
	resp, err := cli.SendMessage(session.WithFanout(ctx, devices, out.Intent), out.To, out.Message, extra)
	if !resp.Chat.IsEmpty() {
		forgetSent(ctx, cli, resp.Chat, out.ID)
	}
	ack := Ack{At: resp.Timestamp, Chat: resp.Chat}
	if id := i.readdressed.Load(); id != nil {
		ack.Readdressed = *id == out.ID
	}
	if devices.refused != nil {
		err = devices.refused // without whatsmeow's wrapping
	}
	if err != nil {
		failed := Grade(err)
		switch {
		case failed.Code != 0 && i.dials.Load() != dials:
			// The connection broke during the send, and whatsmeow sent the frame again on the next
			// one. That copy was refused; the fate of the first is unknown.
			return ack, &SendError{Unknown: true, Err: err}
		case failed.Code == 0 && len(devices.reached) == 0 && out.To.Server != types.NewsletterServer:
			failed.Unknown = false // the send ended before the message was encrypted
		case failed.Code == 0 && out.Intent != nil && !out.Intent.There():
			failed.Unknown = false // or before the intent was on disk
		}
		if out.Refused != nil && failed.Code != 0 {
			out.Refused(failed.Code)
		}
		return ack, failed
	}
	missed, theirs, of := devices.missed()
	ack.Missed, ack.Devices = theirs, of
	if len(missed) > 0 && out.To.Server != types.GroupServer { // devices in a group receive the message anyway and ask for the key
		i.makeGood(cli, missed, resp.Chat, out)
	}
	return ack, nil
}

// take waits for the instance's turn: a channel of capacity one, whose waiters are served in the
// order they came. whatsmeow has its own lock for this, but no context and no limit applies to that
// one.
func (i *Instance) take(ctx context.Context) (release func(), err error) {
	if i.ctx.Err() != nil {
		return nil, ErrNotConnected
	}
	if i.line.Add(1) > int64(i.pool.opts.Limits.Queue) {
		i.line.Add(-1)
		return nil, ErrBusy
	}
	select {
	case i.turn <- struct{}{}:
		return func() {
			<-i.turn
			i.line.Add(-1)
		}, nil
	case <-ctx.Done():
		i.line.Add(-1)
		return nil, ctx.Err()
	case <-i.ctx.Done():
		i.line.Add(-1)
		return nil, ErrNotConnected
	}
}

// comingBack is how long a send waits for an instance that is about to log in: longer than a
// restart of the process takes, and shorter than callers wait.
const comingBack = 5 * time.Second

// Online returns at once when the instance is connected. If it is connecting, Online waits a few
// seconds, so that a restart or a dropped connection causes a delay and not a failure. Otherwise it
// returns ErrNotConnected.
func (i *Instance) Online(ctx context.Context) error {
	if _, err := i.Client(); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, comingBack)
	defer cancel()
	now, err := i.await(ctx, func(s Status) bool {
		_, gone := i.Client() // also when the connection was lost and the status does not show it yet
		return gone == nil || s.State != Connecting && s.State != Connected
	})
	if err != nil || now.State != Connected {
		return ErrNotConnected
	}
	return nil
}
