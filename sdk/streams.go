package sdk

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// errSuperseded ends a stream whose subscriber opened another.
var errSuperseded = status.Error(codes.Canceled, "another stream of this subscriber took over")

// streams holds the one open stream of each (operation, subscriber).
type streams struct {
	mu   sync.Mutex
	open map[[2]string]*holder
}

// holder is the stream that has a place, until gone is closed.
type holder struct {
	cancel context.CancelCauseFunc
	gone   chan struct{}
}

// claim takes the place of (operation, subscriber): it ends the stream that has
// it, waits until its reader is closed, and gives back what releases it.
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
