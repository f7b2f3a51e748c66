package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

// charge is a built-in that must not be called twice for one visit.
type charge struct {
	calls atomic.Int32
	block bool
}

func (*charge) Operation() flow.Operation {
	op := nodes.All(nodes.Options{})[0].Operation() // shaped like log@1
	op.ID, op.Replay = "charge@1", sdk.Unsafe
	return op
}

func (c *charge) Execute(ctx context.Context, _ string, _ map[string]any) (any, error) {
	c.calls.Add(1)
	if c.block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return map[string]any{}, nil
}

const charging = `
apiVersion: flow/v1
kind: Flow
metadata: {id: charging}
triggers: [{id: start, type: manual, to: charge}]
nodes:
  - {id: charge, type: charge@1, with: {message: x}}
  - {id: ask, type: log@1, with: {message: "what became of it? ${ error.code }"}}
edges:
  - {from: charge.error, to: ask}
`

// A call that must not be repeated and whose host died while it was made is not made again: it
// fails with an unknown effect and takes the error port.
func TestUnsafeCallIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, bad := engine.NewMemory(0), &charge{block: true}
		r := newRigWith(t, log, &phone{}, []engine.Builtin{bad}, charging)
		id := r.run(engine.Request{Flow: "charging"})
		synctest.Wait()
		cut, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.Stop(cut); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		good := &charge{}
		next := newRigWith(t, log, &phone{}, []engine.Builtin{good}, charging)
		defer next.stop()
		time.Sleep(time.Minute) // longer than a lease
		if got := next.status(id); got != run.StatusSucceeded || bad.calls.Load() != 1 || good.calls.Load() != 0 {
			t.Errorf("the run %s, called %d and %d times", got, bad.calls.Load(), good.calls.Load())
		}
		steps := next.steps(id)
		if failed := steps[run.TraceNodeFailed]; len(failed) != 1 || failed[0].Code != "interrupted" {
			t.Errorf("failed: %+v", failed)
		}
		// A call that was not interrupted succeeds.
		if got := next.status(next.run(engine.Request{Flow: "charging"})); got != run.StatusSucceeded || good.calls.Load() != 1 {
			t.Errorf("the next run %s, called %d times", got, good.calls.Load())
		}
	})
}
