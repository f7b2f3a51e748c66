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

// Start opens a subscription.
type Start struct {
	Operation  string // TRIGGER operation id
	Subscriber string // one stream per (operation, subscriber); a new one ends the old
	Filter     []byte // JSON; empty is {}
	Cursor     []byte // of the last event stored; empty: the oldest kept
	Window     int    // events in flight, 1 to 1000; 0 means 100

	// Subscribers are all names under which the host subscribes to the operation: the node
	// forgets every other one. Empty: it forgets none.
	Subscribers []string
	// Progress hears, from within Recv, that the filter lets through nothing more up to a
	// cursor: resume after it. Everything before it is acked. Optional.
	Progress func(cursor []byte)
	// CaughtUp hears, from within Recv, that all that had happened when the stream began has
	// been received. Only nodes with the feature [sdk.FeatureCaughtUp] say so. Optional.
	CaughtUp func()
	// Behind hears, from within Recv, that something which happened to a subject may be missing,
	// and with false that all of it has been received. CaughtUp then leaves out the subjects
	// that are behind. Only nodes with the feature [sdk.FeatureSubjects] say so. Those subjects may
	// leave a part of the window to the others, so Ack must not wait for a full one. Optional.
	Behind func(subject string, behind bool)
}

// Ready is the node's first word.
type Ready struct {
	Resumed bool // false: events after the cursor are gone
}

// Subscription is one open stream of events. Recv belongs to one goroutine; Ack
// and Stop may be called from any.
type Subscription struct {
	Ready Ready

	stream   nodepb.NodeService_SubscribeClient
	progress func(cursor []byte)
	caughtUp func()
	behind   func(subject string, behind bool)
	ctx      context.Context // ends when this side wants the end
	cancel   context.CancelFunc

	sending   sync.Mutex
	receiving sync.Mutex
	end       error // set by the last receive, under receiving
	cursor    []byte
}

// Subscribe opens a subscription and waits for it to stand, at most
// [ReadyTimeout]. The stream lives until ctx ends, Stop, or the node's drain.
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

// Recv waits for the next event. It returns io.EOF after the orderly end (Stop,
// or the node's drain), and then the same error for ever.
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

// hear passes on what is no event.
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

// Ack tells the node that everything up to sequence is stored. Store first: an
// acked event does not come again.
func (s *Subscription) Ack(sequence uint64) error {
	return s.send(&nodepb.SubscribeRequest{Message: &nodepb.SubscribeRequest_Ack{Ack: &nodepb.Ack{Sequence: sequence}}})
}

// Stop ends the subscription in order and returns the cursor of the last acked
// event. Events that are still on their way are dropped here; not acked, they come
// again. ctx bounds the wait.
func (s *Subscription) Stop(ctx context.Context) ([]byte, error) {
	defer s.cancel()
	defer context.AfterFunc(ctx, s.cancel)()
	err := s.send(&nodepb.SubscribeRequest{Message: &nodepb.SubscribeRequest_Stop{Stop: &nodepb.SubscribeStop{}}})
	for err == nil || errors.Is(err, io.EOF) { // a stream that has ended says why at Recv
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
	return nil // io.EOF: the stream is over, and Recv knows why
}

// ended names the end of the stream.
func (s *Subscription) ended(err error) error {
	if status.Code(err) == codes.Canceled && s.ctx.Err() == nil {
		return &TransportError{Op: "subscribe", Code: codes.Canceled, Err: ErrSuperseded}
	}
	return transport("subscribe", err)
}
