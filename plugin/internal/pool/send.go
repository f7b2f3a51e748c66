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
	Message *waE2E.Message // whatsmeow may add to it
	Nodes   []waBinary.Node
	// MediaHandle names the uploaded file of a channel's post (whatsmeow.UploadResponse.Handle).
	MediaHandle string
	// Intent is on disk before the message leaves, with the first ratchets that are written for
	// it, or by itself for a channel's post, which has none. Optional.
	Intent *session.Rider
	// Ready is asked in the instance's turn; with an error the message does not leave.
	// Optional.
	Ready func(ctx context.Context) error
	// Refused hears the number of WhatsApp's refusal, still in the turn. Optional.
	Refused func(code int)
}

// Ack is the server's word that it took a message.
type Ack struct {
	At   time.Time
	Chat types.JID // where the message went: for a person the LID
	// Missed is how many of the recipient's Devices the message could not be encrypted
	// for. They get it later, or when they ask for it.
	Missed, Devices int
	// Readdressed is WhatsApp's word that the recipient has another address by now.
	Readdressed bool
}

// Send sends a message in the instance's turn. An error is a *SendError, or
// ErrNotConnected, ErrBusy, registry.ErrLeaseLost, Ready's or the context's error when the
// message did not leave. Ack.Chat is known with some errors, too.
func (i *Instance) Send(ctx context.Context, out Outgoing) (Ack, error) {
	release, err := i.take(ctx)
	if errors.Is(err, context.DeadlineExceeded) { // said in words that do not mean a lost answer
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
	if err := i.leased(ctx); err != nil { // the last moment: a turn may have taken long to come
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
	out.Message = proto.CloneOf(message) // whatsmeow writes to it
	ack, err := i.send(ctx, cli, out)
	if refused, ok := errors.AsType[*SendError](err); ok && refused.Code == staleGroup && out.To.Server == types.GroupServer {
		// It was written by what whatsmeow remembered of the group. WhatsApp took nothing of
		// it, so what it says now may be tried at once.
		if _, err := cli.GetGroupInfo(ctx, out.To); err != nil {
			return ack, Grade(err)
		}
		out.Message = message
		return i.send(ctx, cli, out)
	}
	return ack, err
}

// staleGroup is the refusal of a message whose group is addressed in another way now.
const staleGroup = 421

// send hands the message to whatsmeow, in the turn.
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
		err = devices.refused // without whatsmeow's words for it
	}
	if err != nil {
		failed := Grade(err)
		switch {
		case failed.Code != 0 && i.dials.Load() != dials:
			// The line was cut under way, and whatsmeow sent the frame again on the next.
			// That one was refused; what became of the first nobody said.
			return ack, &SendError{Unknown: true, Err: err}
		case failed.Code == 0 && len(devices.reached) == 0 && out.To.Server != types.NewsletterServer:
			failed.Unknown = false // it ended before it was encrypted
		case failed.Code == 0 && out.Intent != nil && !out.Intent.There():
			failed.Unknown = false // or before that was on disk
		}
		if out.Refused != nil && failed.Code != 0 {
			out.Refused(failed.Code)
		}
		return ack, failed
	}
	missed, theirs, of := devices.missed()
	ack.Missed, ack.Devices = theirs, of
	if len(missed) > 0 && out.To.Server != types.GroupServer { // a group's devices get it all the same, and ask for the key
		i.makeGood(cli, missed, resp.Chat, out)
	}
	return ack, nil
}

// take waits for the instance's turn: a channel of one, whose waiters go in the
// order they came. whatsmeow has a lock of its own for this, but one that neither
// a context nor a limit applies to.
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

// comingBack is how long a send waits for an instance that is on its way to a login:
// longer than a restart of the process takes, shorter than a caller's.
const comingBack = 5 * time.Second

// Online returns at once when the instance is connected. One that is connecting it
// gives a few seconds, so that a restart or a dropped line is a delay and not a
// failure. Otherwise it returns ErrNotConnected.
func (i *Instance) Online(ctx context.Context) error {
	if _, err := i.Client(); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, comingBack)
	defer cancel()
	now, err := i.await(ctx, func(s Status) bool {
		_, gone := i.Client() // also when the line has dropped and nobody has noticed yet
		return gone == nil || s.State != Connecting && s.State != Connected
	})
	if err != nil || now.State != Connected {
		return ErrNotConnected
	}
	return nil
}
