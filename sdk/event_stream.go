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

// eventStream is the state of one subscription: which events were sent and which were acknowledged.
// Only the stream's handler touches it, except credits.
type eventStream struct {
	stream  nodepb.NodeService_SubscribeServer
	reader  Reader
	credits chan struct{} // one for each event that may be read

	sent    uint64
	acked   uint64
	cursors [][]byte // of the events acked+1 … sent
	cursor  []byte   // of the last acked event, or of the progress after it
	skipped []byte   // cursor of progress after the last sent event; nil: none
}

func newEventStream(stream nodepb.NodeService_SubscribeServer, reader Reader, window int, cursor []byte) *eventStream {
	s := &eventStream{stream: stream, reader: reader, credits: make(chan struct{}, window), cursor: cursor}
	for range window {
		s.credits <- struct{}{}
	}
	return s
}

// next is the result of one Reader.Next.
type next struct {
	event Event
	err   error
}

// pump reads events while there are credits, until ctx ends or the reader fails.
func (s *eventStream) pump(ctx context.Context) <-chan next {
	events := make(chan next)
	go func() {
		defer close(events)
		for {
			select {
			case <-s.credits:
			case <-ctx.Done():
				return
			}
			var n next
			n.err = guard("Next of a reader", func() (err error) {
				n.event, err = s.reader.Next(ctx)
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

// run sends events and takes acks until the subscription ends. It returns errStop for an orderly
// end, and any other error as the stream's status.
func (s *eventStream) run(ctx context.Context, drain <-chan struct{}, events <-chan next, in <-chan incoming) error {
	for {
		select {
		case n, ok := <-events:
			if !ok || ctx.Err() != nil {
				return endOf(ctx)
			}
			if err := s.send(ctx, n); err != nil {
				return err
			}
		case m := <-in:
			if err := s.take(ctx, m); err != nil {
				return err
			}
		case <-drain:
			return errStop
		case <-ctx.Done():
			return endOf(ctx)
		}
	}
}

// endOf returns why ctx ended: the host went away, or a newer stream took over.
func endOf(ctx context.Context) error {
	if cause := context.Cause(ctx); status.Code(cause) != codes.Unknown {
		return cause
	}
	return status.FromContextError(ctx.Err()).Err()
}

func (s *eventStream) send(ctx context.Context, n next) error {
	if n.err != nil {
		slog.Error("the trigger cannot be read", "error", n.err)
		return status.Error(codes.Internal, problemOf(n.err).Message)
	}
	if n.event.isProgress() {
		s.credits <- struct{}{} // it takes no place in the window
		if n.event.isNews() {
			return s.stream.Send(&nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Progress{Progress: &nodepb.SubscribeProgress{
				Subject: n.event.Subject, Behind: n.event.Behind, CaughtUp: n.event.CaughtUp}}})
		}
		s.skipped = n.event.Cursor
		return s.progress(ctx)
	}
	if n.event.ID == "" || n.event.Type == "" {
		return status.Error(codes.Internal, "the trigger has an event without id or type")
	}
	s.skipped = nil // the event's own cursor is after it
	s.sent++
	n.event.Sequence = s.sent
	s.cursors = append(s.cursors, n.event.Cursor)
	return s.stream.Send(&nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Event{Event: eventToProto(n.event)}})
}

func (s *eventStream) take(ctx context.Context, in incoming) error {
	switch {
	case errors.Is(in.err, io.EOF):
		return errStop
	case in.err != nil:
		return in.err
	case in.message.GetStop() != nil:
		return errStop
	case in.message.GetAck() != nil:
		return s.ack(ctx, in.message.GetAck().GetSequence())
	}
	return status.Error(codes.InvalidArgument, "after start only ack and stop may come")
}

// ack hands the cursor of a sequence to the reader and frees the window. A sequence that was
// acknowledged before changes nothing.
func (s *eventStream) ack(ctx context.Context, sequence uint64) error {
	if sequence > s.sent {
		return status.Errorf(codes.InvalidArgument, "ack of sequence %d, but only %d were sent", sequence, s.sent)
	}
	if sequence <= s.acked {
		return nil
	}
	n := int(sequence - s.acked) // at most the window
	if err := s.store(ctx, s.cursors[n-1]); err != nil {
		return err
	}
	s.acked = sequence
	s.cursors = append(s.cursors[:0:0], s.cursors[n:]...)
	for range n {
		s.credits <- struct{}{}
	}
	return s.progress(ctx)
}

// progress acknowledges the events that the filter left out, once no event before them is
// unacknowledged, and tells the host.
func (s *eventStream) progress(ctx context.Context) error {
	if s.skipped == nil || s.acked != s.sent {
		return nil
	}
	if err := s.store(ctx, s.skipped); err != nil {
		return err
	}
	s.skipped = nil
	return s.stream.Send(&nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Progress{Progress: &nodepb.SubscribeProgress{Cursor: s.cursor}}})
}

// store hands a cursor to the reader.
func (s *eventStream) store(ctx context.Context, cursor []byte) error {
	if err := guard("Ack of a reader", func() error { return s.reader.Ack(ctx, cursor) }); err != nil {
		slog.Error("the trigger cannot store an ack", "error", err)
		return status.Error(codes.Internal, problemOf(err).Message)
	}
	s.cursor = cursor
	return nil
}
