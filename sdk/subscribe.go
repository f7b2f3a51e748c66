package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
)

// Window of a subscription: the number of events in flight.
const (
	defaultWindow = 100
	maxWindow     = 1000
)

// startTimeout is how long a stream may wait before it sends start.
const startTimeout = 10 * time.Second

// errStop marks the orderly end of a subscription.
var errStop = errors.New("stop")

// Subscribe serves one subscriber of one trigger with three goroutines: receive reads the host's
// messages, pump reads the author's events, and this one does everything else. All of them end with
// the handler; the author's Reader is closed once its Next has returned.
func (s *server) Subscribe(stream nodepb.NodeService_SubscribeServer) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	in := receive(ctx, stream)
	start, err := s.awaitStart(ctx, in)
	if err != nil {
		return err
	}
	op, sub, window, err := s.checkStart(start)
	if err != nil {
		return err
	}
	release, err := s.streams.claim(ctx, op.manifest.ID, sub.Subscriber, cancel)
	if err != nil {
		return err
	}
	if err := s.life.enter(); err != nil {
		release()
		return err
	}
	leave := func() { release(); s.life.working.done() }
	reader, resumed, err := op.openReader(ctx, sub)
	if err != nil {
		leave()
		return err
	}
	es := newEventStream(stream, reader, window, sub.Cursor)
	events := es.pump(ctx)
	defer func() {
		cancel(nil)
		go func() {
			for range events { // until the pump has ended
			}
			closeReader(reader)
			leave()
		}()
	}()
	if err := stream.Send(&nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Ready{
		Ready: &nodepb.SubscribeReady{Resumed: resumed},
	}}); err != nil {
		return err
	}
	err = es.run(ctx, s.life.draining.Done(), events, in)
	if !errors.Is(err, errStop) {
		return err
	}
	return stream.Send(&nodepb.SubscribeResponse{Message: &nodepb.SubscribeResponse_Stopped{
		Stopped: &nodepb.SubscribeStopped{Cursor: es.cursor},
	}})
}

// incoming is a message of the host, or the end of its messages.
type incoming struct {
	message *nodepb.SubscribeRequest
	err     error
}

func receive(ctx context.Context, stream nodepb.NodeService_SubscribeServer) <-chan incoming {
	in := make(chan incoming)
	go func() {
		for {
			m, err := stream.Recv()
			select {
			case in <- incoming{m, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return in
}

func (s *server) awaitStart(ctx context.Context, in <-chan incoming) (*nodepb.SubscribeStart, error) {
	if err := s.life.running(); err != nil {
		return nil, err
	}
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case first := <-in:
		if first.err != nil && !errors.Is(first.err, io.EOF) {
			return nil, first.err
		}
		if start := first.message.GetStart(); start != nil {
			return start, nil
		}
		return nil, status.Error(codes.InvalidArgument, "the first message of Subscribe must be start")
	case <-timer.C:
		return nil, status.Error(codes.InvalidArgument, "no start came within 10 s")
	case <-s.life.draining.Done():
		return nil, status.Error(codes.Unavailable, errCut.Error())
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func (s *server) checkStart(start *nodepb.SubscribeStart) (*operation, Subscription, int, error) {
	op, err := s.lookup(start.GetOperation())
	if err != nil {
		return nil, Subscription{}, 0, err
	}
	invalid := func(format string, args ...any) (*operation, Subscription, int, error) {
		return nil, Subscription{}, 0, status.Errorf(codes.InvalidArgument, format, args...)
	}
	window := int(start.GetWindow())
	switch {
	case op.open == nil:
		return invalid("%s is not a trigger; use Execute", op.manifest.ID)
	case window < 0 || window > maxWindow:
		return invalid("window is %d, must be 1 to %d, or 0 for %d", window, maxWindow, defaultWindow)
	case start.GetSubscriber() == "" || len(start.GetSubscriber()) > 255:
		return invalid("subscriber must have 1 to 255 bytes")
	case window == 0:
		window = defaultWindow
	}
	if len(start.GetSubscribers()) > 0 && !slices.Contains(start.GetSubscribers(), start.GetSubscriber()) {
		return invalid("subscribers are all of the host's, and %q is not among them", start.GetSubscriber())
	}
	filter, violations, _, err := op.examine(start.GetFilter())
	if err != nil {
		return invalid("%v", err)
	}
	if len(violations) > 0 {
		return invalid("filter%s: %s", violations[0].Pointer, violations[0].Message)
	}
	return op, Subscription{
		Operation: op.manifest.ID, Subscriber: start.GetSubscriber(), Filter: filter.(json.RawMessage), Cursor: start.GetCursor(),
		Subscribers: start.GetSubscribers(), Window: window, BySubject: start.GetBySubject(),
	}, window, nil
}

func (op *operation) openReader(ctx context.Context, sub Subscription) (reader Reader, resumed bool, err error) {
	err = guard("Open of "+op.manifest.ID, func() (err error) {
		if reader, err = op.open(ctx, sub); err == nil {
			resumed = reader.Resumed()
		}
		return err
	})
	if err == nil {
		return reader, resumed, nil
	}
	p := problemOf(err)
	level := slog.LevelError
	if ctx.Err() != nil {
		level = slog.LevelDebug // the host is gone, or the node is closing
	}
	slog.Log(ctx, level, "subscription cannot be opened", "operation", op.manifest.ID, "code", p.Code, "error", err)
	code := codes.Internal
	if p.Fault == FaultCaller {
		code = codes.InvalidArgument
	}
	return nil, false, status.Error(code, p.Message)
}

func closeReader(reader Reader) {
	if err := guard("Close of a reader", reader.Close); err != nil {
		slog.Error("reader cannot be closed", "error", err)
	}
}

// errSuperseded ends a stream whose subscriber has opened another one.
var errSuperseded = status.Error(codes.Canceled, "another stream of this subscriber took over")

// streams holds the one open stream of each (operation, subscriber).
type streams struct {
	mu   sync.Mutex
	open map[[2]string]*holder
}

// holder is the stream that occupies a place, until gone is closed.
type holder struct {
	cancel context.CancelCauseFunc
	gone   chan struct{}
}

// claim takes the place of (operation, subscriber): it ends the stream that occupies it, waits
// until that stream's reader is closed, and returns the function that releases the place.
func (s *streams) claim(ctx context.Context, operation, subscriber string, cancel context.CancelCauseFunc) (release func(), err error) {
	place := [2]string{operation, subscriber}
	for {
		s.mu.Lock()
		old := s.open[place]
		if old == nil {
			h := &holder{cancel: cancel, gone: make(chan struct{})}
			if s.open == nil {
				s.open = map[[2]string]*holder{}
			}
			s.open[place] = h
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.open, place)
				s.mu.Unlock()
				close(h.gone)
			}, nil
		}
		s.mu.Unlock()
		old.cancel(errSuperseded)
		select {
		case <-old.gone:
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}
