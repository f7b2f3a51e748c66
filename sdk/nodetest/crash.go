package nodetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Size of the crash test: rounds that end with kill -9, and the keys they share.
const (
	crashRounds = 20
	crashKeys   = 60
)

// ledger is what a careful host would have on disk: which calls were answered, which events it has
// stored, and where to resume.
type ledger struct {
	mu      sync.Mutex
	settled map[int]bool
	events  map[string]bool
	cursor  []byte
}

// processKill runs keyed calls and a subscription, kills the process at random points, reopens it
// on the same state, and repeats the calls that were not answered, as the contract allows a host to
// do. In the end each key must have one effect, and each effect must have been delivered as an
// event.
func (s *suite) processKill(t *testing.T) {
	if s.Binary == "" || s.Keyed == nil || s.Effects == nil {
		t.Skip("needs a binary, Keyed and Effects")
	}
	dir := t.TempDir()
	book := &ledger{settled: map[int]bool{}, events: map[string]bool{}}
	for range crashRounds {
		l := s.reopen(t, dir)
		time.AfterFunc(time.Duration(rand.IntN(40_000))*time.Microsecond, l.process.kill)
		s.live(t, l, book, rand.IntN(2*crashKeys/crashRounds))
	}
	l := s.reopen(t, dir)
	settled := make(chan struct{})
	ctx, cancel := context.WithCancel(bounded(t))
	go func() {
		defer close(settled)
		s.follow(ctx, l, book)
	}()
	s.call(t, l, book, crashKeys+1)
	if len(book.settled) != crashKeys {
		t.Errorf("%d of %d calls have an answer", len(book.settled), crashKeys)
	}
	effects := s.Effects(t, dir)
	if effects != crashKeys {
		t.Errorf("%d effects for %d keys", effects, crashKeys)
	}
	if s.Trigger != nil && s.Trigger.Emit == nil {
		for book.count() < effects && ctx.Err() == nil {
			time.Sleep(time.Millisecond) // events arrive asynchronously
		}
		if n := book.count(); n != effects {
			t.Errorf("%d events for %d effects", n, effects)
		}
	}
	cancel()
	await(t, settled, "the subscription outlives its context")
}

func (b *ledger) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.events)
}

// live makes calls until the process is killed, at the latest after a number of answers while other
// calls are in flight.
func (s *suite) live(t *testing.T, l *live, book *ledger, answers int) {
	t.Helper()
	ctx, cancel := context.WithCancel(bounded(t))
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		s.follow(ctx, l, book)
	}()
	s.call(t, l, book, answers)
	await(t, l.process.exited, s.name()+" hangs: it was killed and still lives")
	cancel()
	await(t, followed, "the subscription outlives its context")
}

// call makes every call that is not answered yet, four at a time, until all are answered or the
// process is gone. It kills the process after a number of answers.
func (s *suite) call(t *testing.T, l *live, book *ledger, answers int) {
	t.Helper()
	var open []int
	for i := range crashKeys {
		if !book.settled[i] {
			open = append(open, i)
		}
	}
	rand.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for n := worker; n < len(open); n += 4 {
				i := open[n]
				_, err := l.Execute(bounded(t), request(s.Keyed(i), fmt.Sprint("crash-", i)), nil)
				if err != nil {
					if p, ok := errors.AsType[*sdk.Problem](err); ok {
						t.Errorf("call %d: %v", i, p)
					}
					return // the process is gone
				}
				book.mu.Lock()
				book.settled[i] = true
				answers--
				enough := answers < 0
				book.mu.Unlock()
				if enough {
					l.process.kill()
					return
				}
			}
		})
	}
	wg.Wait()
}

// follow stores events and then acknowledges them, until the process is gone.
func (s *suite) follow(ctx context.Context, l *live, book *ledger) {
	if s.Trigger == nil {
		return
	}
	sub, err := l.Subscribe(ctx, client.Start{
		Operation: s.Trigger.Operation, Subscriber: "nodetest", Filter: s.Trigger.Filter, Cursor: book.cursor, Window: 5,
	})
	if err != nil {
		return // the process was already killed
	}
	for {
		e, err := sub.Recv()
		if err != nil {
			return
		}
		book.mu.Lock()
		book.events[e.ID], book.cursor = true, e.Cursor
		book.mu.Unlock()
		if err := sub.Ack(e.Sequence); err != nil {
			return
		}
	}
}
