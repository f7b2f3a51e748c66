package nodetest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// waitLimit bounds each wait for something that must happen, and promiseLimit the time to prove one
// promise. Times that the contract promises are shorter and are checked by the promise itself.
var (
	waitLimit    = 30 * time.Second
	promiseLimit = 5 * time.Minute
)

// ends holds the deadlines of the promises being proven, by *testing.T.
var ends sync.Map

// begin sets the deadline of the promise that t proves.
func begin(t *testing.T) {
	ends.Store(t, time.Now().Add(promiseLimit))
	t.Cleanup(func() { ends.Delete(t) })
}

// limitKey is the context key of the limit set by bounded, which hung reads.
type limitKey struct{}

// bounded returns the context of one wait: it ends after waitLimit, or at the deadline of the
// promise.
func bounded(t *testing.T) context.Context {
	t.Helper()
	limit := time.Now().Add(waitLimit)
	if end, ok := ends.Load(t); ok && end.(time.Time).Before(limit) {
		limit = end.(time.Time)
	}
	ctx, cancel := context.WithDeadline(context.WithValue(context.Background(), limitKey{}, limit), limit)
	t.Cleanup(cancel)
	return ctx
}

// await waits for c, for at most waitLimit; if nothing comes it reports what hangs.
func await[T any](t *testing.T, c <-chan T, what string) (v T, ok bool) {
	t.Helper()
	timer := time.NewTimer(waitLimit)
	defer timer.Stop()
	select {
	case v = <-c:
		return v, true
	case <-timer.C:
		t.Error(what)
		return v, false
	}
}

// name returns the node's name for messages.
func (s *suite) name() string {
	if s.Binary != "" {
		return filepath.Base(s.Binary)
	}
	return s.Node().Name
}

// hung reports whether a call ended because nothing came within the limit of bounded, and not
// because of a deadline that the suite set to see whether it is kept.
func hung(ctx context.Context, err error) bool {
	deadline, ok := ctx.Deadline()
	return ok && status.Code(err) == codes.DeadlineExceeded && deadline.Equal(limitOf(ctx))
}

func limitOf(ctx context.Context) time.Time {
	limit, _ := ctx.Value(limitKey{}).(time.Time)
	return limit
}

// nameHangingCall reports a call that is not answered.
func (s *suite) nameHangingCall(t *testing.T) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := call(ctx, method, req, reply, cc, opts...)
		if hung(ctx, err) {
			t.Errorf("%s hangs: no answer to %s within %v", s.name(), method, waitLimit)
		}
		return err
	}
}

// nameHangingStream reports a stream on which nothing comes any more.
func (s *suite) nameHangingStream(t *testing.T) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := open(ctx, desc, cc, method, opts...)
		if err != nil {
			return nil, err
		}
		return &watched{stream, func(err error) {
			if hung(ctx, err) {
				t.Errorf("%s hangs: nothing more comes from %s within %v", s.name(), method, waitLimit)
			}
		}}, nil
	}
}

type watched struct {
	grpc.ClientStream
	see func(error)
}

func (w *watched) RecvMsg(m any) error {
	err := w.ClientStream.RecvMsg(m)
	w.see(err)
	return err
}
