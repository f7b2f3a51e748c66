package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Start describes a subscription to open.
type Start struct {
	Operation  string // TRIGGER operation id
	Subscriber string // one stream per (operation, subscriber); a new one ends the old
	Filter     []byte // JSON; empty is {}
	Cursor     []byte // of the last event stored; empty: the oldest kept
	Window     int    // events in flight, 1 to 1000; 0 means 100

	// Subscribers are all names under which the host subscribes to the operation: the node forgets
	// every other one. If it is empty, the node forgets none.
	Subscribers []string
	// Progress is called by Recv with a cursor up to which the filter lets through no further
	// event; the host can resume after it. Everything before it is acknowledged. Optional.
	Progress func(cursor []byte)
	// CaughtUp is called by Recv when all events from before the stream began have been received.
	// Only nodes with the feature [sdk.FeatureCaughtUp] report it. Optional.
	CaughtUp func()
	// Behind is called by Recv with true when events of a subject may be missing, and with false
	// when all of them have been received. CaughtUp then does not cover the subjects that are
	// behind. Only nodes with the feature [sdk.FeatureSubjects] report it. Subjects that are behind
	// may leave a part of the window to the others, so Ack must not wait for a full window.
	// Optional.
	Behind func(subject string, behind bool)
}

// Ready is the node's first message.
type Ready struct {
	Resumed bool // false: events after the cursor have been deleted
}

// Subscription is one open stream of events. Recv must be called from one goroutine only; Ack and
// Stop may be called from any.
type Subscription struct {
	Ready Ready

	stream   nodepb.NodeService_SubscribeClient
	progress func(cursor []byte)
	caughtUp func()
	behind   func(subject string, behind bool)
	ctx      context.Context // ends when this side ends the stream
	cancel   context.CancelFunc

	sending   sync.Mutex
	receiving sync.Mutex
	end       error // set by the last receive, under receiving
	cursor    []byte
}

// Subscribe opens a subscription and waits until it is ready, at most [ReadyTimeout]. The stream
// lives until ctx ends, Stop, or the node's drain.
func (c *Client) Subscribe(ctx context.Context, start Start) (*Subscription, error) {
	s := &Subscription{progress: start.Progress, caughtUp: start.CaughtUp, behind: start.Behind}
	s.ctx, s.cancel = context.WithCancel(ctx)
	timer := time.AfterFunc(ReadyTimeout, s.cancel)
	ready, err := s.open(c.rpc, start)
	if !timer.Stop() && ctx.Err() == nil {
		err = &TransportError{Op: "subscribe", Code: codes.DeadlineExceeded, Err: context.DeadlineExceeded}
	}
	if err != nil {
		s.cancel()
		return nil, err
	}
	s.Ready = Ready{Resumed: ready.GetResumed()}
	s.cursor = start.Cursor
	return s, nil
}

func (s *Subscription) open(rpc nodepb.NodeServiceClient, start Start) (*nodepb.SubscribeReady, error) {
	var err error
	if s.stream, err = rpc.Subscribe(s.ctx); err != nil {
		return nil, transport("subscribe", err)
	}
	err = s.send(&nodepb.SubscribeRequest{Message: &nodepb.SubscribeRequest_Start{Start: &nodepb.SubscribeStart{
		Operation: start.Operation, Subscriber: start.Subscriber, Filter: start.Filter, Cursor: start.Cursor,
		Window: int32(start.Window), Subscribers: start.Subscribers, BySubject: start.Behind != nil, // the node checks them
	}}})
	if err != nil {
		return nil, err
	}
	first, err := s.stream.Recv()
	if err != nil {
		return nil, s.ended(err)
	}
	if first.GetReady() == nil {
		return nil, broken("subscribe", "its first message is not ready")
	}
	return first.GetReady(), nil
}

// Recv waits for the next event. It returns io.EOF after the orderly end (Stop, or the node's
// drain), and keeps returning the same error.
func (s *Subscription) Recv() (sdk.Event, error) {
	s.receiving.Lock()
	defer s.receiving.Unlock()
	for s.end == nil {
		m, err := s.stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			s.end = broken("subscribe", "the stream ended without stopped")
		case err != nil:
			s.end = s.ended(err)
		case m.GetStopped() != nil:
			s.cursor, s.end = m.GetStopped().GetCursor(), io.EOF
		case m.GetProgress() != nil:
			s.hear(m.GetProgress())
		case m.GetEvent() != nil:
			return eventOf(m.GetEvent()), nil
		}
	}
	s.cancel()
	return sdk.Event{}, s.end
}

// hear passes on a message that is not an event.
func (s *Subscription) hear(p *nodepb.SubscribeProgress) {
	if len(p.GetCursor()) > 0 && s.progress != nil {
		s.progress(p.GetCursor())
	}
	switch {
	case p.GetSubject() != "":
		if s.behind != nil && (p.GetBehind() || p.GetCaughtUp()) {
			s.behind(p.GetSubject(), p.GetBehind())
		}
	case p.GetCaughtUp() && s.caughtUp != nil:
		s.caughtUp()
	}
}

// Ack tells the node that everything up to sequence is stored. Store first: an acknowledged event
// is not delivered again.
func (s *Subscription) Ack(sequence uint64) error {
	return s.send(&nodepb.SubscribeRequest{Message: &nodepb.SubscribeRequest_Ack{Ack: &nodepb.Ack{Sequence: sequence}}})
}

// Stop ends the subscription in order and returns the cursor of the last acknowledged event. Events
// still in flight are dropped here; they were not acknowledged, so they are delivered again. ctx
// bounds the wait.
func (s *Subscription) Stop(ctx context.Context) ([]byte, error) {
	defer s.cancel()
	defer context.AfterFunc(ctx, s.cancel)()
	err := s.send(&nodepb.SubscribeRequest{Message: &nodepb.SubscribeRequest_Stop{Stop: &nodepb.SubscribeStop{}}})
	for err == nil || errors.Is(err, io.EOF) { // Recv returns why a stream has ended
		if _, err = s.Recv(); err != nil {
			break
		}
	}
	s.receiving.Lock()
	defer s.receiving.Unlock()
	if errors.Is(err, io.EOF) {
		return s.cursor, nil
	}
	return nil, err
}

func (s *Subscription) send(m *nodepb.SubscribeRequest) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if err := s.stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
		return transport("subscribe", err)
	}
	return nil // io.EOF: the stream has ended, and Recv returns why
}

// ended returns the error for the end of the stream.
func (s *Subscription) ended(err error) error {
	if status.Code(err) == codes.Canceled && s.ctx.Err() == nil {
		return &TransportError{Op: "subscribe", Code: codes.Canceled, Err: ErrSuperseded}
	}
	return transport("subscribe", err)
}
