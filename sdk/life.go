package sdk

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// cutGrace is how long a cancelled call may take to end; after that its caller gets an answer
// without it.
const cutGrace = time.Second

// errCut is the cause in the context of a call that a drain or Close ended.
var errCut = errors.New("the node is draining")

// life is the life cycle of a node: unconfigured, open, draining, ended. It tracks every running
// call, so that a drain can wait for the calls and cut them.
type life struct {
	mu    sync.Mutex
	phase phase
	calls map[*running]struct{}

	draining context.Context // ends when the drain begins
	beginEnd context.CancelFunc
	ended    context.Context // ends with Close
	close    context.CancelFunc

	answering tally         // calls whose caller waits for an answer
	working   tally         // goroutines that run the author's functions
	drained   chan struct{} // closed when the drain has its result
	cut       []string      // the result of the drain
}

type phase int

const (
	unconfigured phase = iota
	open
	draining
	ended
)

// running is one call between its start and its answer.
type running struct {
	key    string
	cancel context.CancelCauseFunc
	lost   bool // cut before it completed
}

func newLife() *life {
	l := &life{calls: map[*running]struct{}{}, drained: make(chan struct{})}
	l.draining, l.beginEnd = context.WithCancel(context.Background())
	l.ended, l.close = context.WithCancel(context.Background())
	return l
}

// serving returns nil while Describe, Validate and Configure are answered.
func (l *life) serving() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase >= draining {
		return status.Error(codes.Unavailable, errCut.Error())
	}
	return nil
}

// running returns nil while the node accepts work.
func (l *life) running() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal()
}

func (l *life) refusal() error {
	switch l.phase {
	case unconfigured:
		return status.Error(codes.FailedPrecondition, "the node is not configured; call Configure first")
	case open:
		return nil
	default:
		return status.Error(codes.Unavailable, errCut.Error())
	}
}

// open makes the node accept work, unless a drain began first.
func (l *life) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase == unconfigured {
		l.phase = open
	}
	return l.refusal()
}

// enter admits work of the author's functions; working.done marks its end.
func (l *life) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return err
	}
	l.working.add()
	return nil
}

// begin admits a call. finish marks the end of its answer, working.done the end of its work.
func (l *life) begin(parent context.Context, key string) (context.Context, *running, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusal(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(parent)
	r := &running{key: key, cancel: cancel}
	l.calls[r] = struct{}{}
	l.answering.add()
	l.working.add()
	return ctx, r, nil
}

func (l *life) finish(r *running, lost bool) {
	r.cancel(nil)
	l.mu.Lock()
	r.lost = lost
	delete(l.calls, r)
	l.mu.Unlock()
	l.answering.done()
}

// drain stops the node from accepting work, waits up to grace for running calls, cuts the rest, and
// returns the keys of the calls that did not complete. Later callers get the result of the first.
func (l *life) drain(ctx context.Context, grace time.Duration) []string {
	l.mu.Lock()
	first := l.phase < draining
	if first {
		l.phase = draining
		l.beginEnd()
	}
	l.mu.Unlock()
	if !first {
		select {
		case <-l.drained:
			return l.cut
		case <-ctx.Done():
			return nil
		}
	}
	defer close(l.drained)
	graceCtx, cancel := context.WithTimeout(ctx, grace)
	l.answering.wait(graceCtx)
	cancel()

	l.mu.Lock()
	rest := slices.Collect(maps.Keys(l.calls))
	l.mu.Unlock()
	for _, r := range rest {
		r.cancel(errCut)
	}
	cutCtx, cancel := context.WithTimeout(ctx, 2*cutGrace)
	l.answering.wait(cutCtx)
	cancel()

	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range rest {
		if _, still := l.calls[r]; r.lost || still {
			l.cut = append(l.cut, r.key)
		}
	}
	slices.Sort(l.cut)
	return l.cut
}

// end drains without a grace period and waits until no function of the author is running, or ctx
// ends.
func (l *life) end(ctx context.Context) {
	l.drain(ctx, 0)
	l.mu.Lock()
	l.phase = ended
	l.mu.Unlock()
	l.close()
	l.working.wait(ctx)
}

// tally counts what is under way.
type tally struct {
	mu   sync.Mutex
	n    int
	zero chan struct{}
}

func (t *tally) add() {
	t.mu.Lock()
	t.n++
	t.mu.Unlock()
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

// wait returns when nothing is under way or ctx ends.
func (t *tally) wait(ctx context.Context) {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return
	}
	if t.zero == nil {
		t.zero = make(chan struct{})
	}
	zero := t.zero
	t.mu.Unlock()
	select {
	case <-zero:
	case <-ctx.Done():
	}
}
