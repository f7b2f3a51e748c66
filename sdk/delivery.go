package sdk

import (
	"context"
	"errors"
	"io"
	"log/slog"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// delivery is the state of one subscription: what was sent and what was acked.
// Only the stream's handler touches it, except credits.
type delivery struct {
	stream  nodepb.NodeService_SubscribeServer
	reader  Reader
	credits chan struct{} // one for each event that may be read

	sent    uint64
	acked   uint64
	cursors [][]byte // of the events acked+1 … sent
	cursor  []byte   // of the last acked event, or of the progress behind it
	skipped []byte   // progress behind the last sent event; nil: none
}

func newDelivery(stream nodepb.NodeService_SubscribeServer, reader Reader, window int, cursor []byte) *delivery {
	d := &delivery{stream: stream, reader: reader, credits: make(chan struct{}, window), cursor: cursor}
	for range window {
		d.credits <- struct{}{}
	}
	return d
}

// next is what one Reader.Next gave.
type next struct {
	event Event
	err   error
}

// pump reads events while there are credits, until ctx ends or the reader fails.
func (d *delivery) pump(ctx context.Context) <-chan next {
	events := make(chan next)
	go func() {
		defer close(events)
		for {
			select {
			case <-d.credits:
			case <-ctx.Done():
				return
			}
			var n next
			n.err = guard("Next of a reader", func() (err error) {
				n.event, err = d.reader.Next(ctx)
				return err
			})
			select {
			case events <- n:
			case <-ctx.Done():
				return
			}
			if n.err != nil {
				return
			}
		}
	}()
	return events
}

// run sends events and takes acks until the subscription ends: errStop in order,
// anything else as the stream's status.
func (d *delivery) run(ctx context.Context, drain <-chan struct{}, events <-chan next, in <-chan incoming) error {
	for {
		select {
		case n, ok := <-events:
			if !ok || ctx.Err() != nil {
				return endOf(ctx)
			}
			if err := d.send(ctx, n); err != nil {
				return err
			}
		case m := <-in:
			if err := d.take(ctx, m); err != nil {
				return err
			}
		case <-drain:
			return errStop
		case <-ctx.Done():
			return endOf(ctx)
		}
	}
}

// endOf says why ctx ended: the host went away, or a newer stream took over.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); status.Code(cause) != codes.Unknown {
		return cause
	}
	return status.FromContextError(ctx.Err()).Err()
}

func (d *delivery) send(ctx context.Context, n next) error {
	if n.err != nil {
		slog.Error("the trigger cannot be read", "error", n.err)
		return status.Error(codes.Internal, problemOf(n.err).Message)
	}
	if n.event.isProgress() {
		d.skipped = n.event.Cursor
		d.credits <- struct{}{} // it takes no place in the window
		return d.progress(ctx)
	}
	if n.event.ID == "" || n.event.Type == "" {
		return status.Error(codes.Internal, "the trigger has an event without id or type")
	}
	d.skipped = nil // the event's own cursor is behind it
	d.sent++
	n.event.Sequence = d.sent
	d.cursors = append(d.cursors, n.event.Cursor)
	return d.stream.Send(&nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Event{Event: eventToProto(n.event)}})
}

func (d *delivery) take(ctx context.Context, in incoming) error {
	switch {
	case errors.Is(in.err, io.EOF):
		return errStop
	case in.err != nil:
		return in.err
	case in.message.GetStop() != nil:
		return errStop
	case in.message.GetAck() != nil:
		return d.ack(ctx, in.message.GetAck().GetSequence())
	}
	return status.Error(codes.InvalidArgument, "after start only ack and stop may come")
}

// ack hands the cursor of a sequence to the reader and frees the window. A
// sequence acked before is no news.
func (d *delivery) ack(ctx context.Context, sequence uint64) error {
	if sequence > d.sent {
		return status.Errorf(codes.InvalidArgument, "ack of sequence %d, but only %d were sent", sequence, d.sent)
	}
	if sequence <= d.acked {
		return nil
	}
	n := int(sequence - d.acked) // at most the window
	if err := d.store(ctx, d.cursors[n-1]); err != nil {
		return err
	}
	d.acked = sequence
	d.cursors = append(d.cursors[:0:0], d.cursors[n:]...)
	for range n {
		d.credits <- struct{}{}
	}
	return d.progress(ctx)
}

// progress acknowledges what the filter left out, once nothing before it is open, and
// tells the host.
func (d *delivery) progress(ctx context.Context) error {
	if d.skipped == nil || d.acked != d.sent {
		return nil
	}
	if err := d.store(ctx, d.skipped); err != nil {
		return err
	}
	d.skipped = nil
	return d.stream.Send(&nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Progress{Progress: &nodepb.SubscribeProgress{Cursor: d.cursor}}})
}

// store hands a cursor to the reader.
func (d *delivery) store(ctx context.Context, cursor []byte) error {
	if err := guard("Ack of a reader", func() error { return d.reader.Ack(ctx, cursor) }); err != nil {
		slog.Error("the trigger cannot store an ack", "error", err)
		return status.Error(codes.Internal, problemOf(err).Message)
	}
	d.cursor = cursor
	return nil
}
