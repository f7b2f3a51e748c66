package sqllog

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// Changes that share a transaction, and so statements, each get their own result. A change that is
// refused leaves nothing behind, and each sees what the others do to the same tables.
func TestGroup(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		l, ctx := open(t, place(t)), t.Context()
		began := func(run string, over bool, cursor string) error {
			_, err := l.Append(ctx, engine.Batch{Run: run, Digest: "d", State: []byte(run), Over: over, Index: engine.Index{Flow: "f", Status: "running", Subjects: []string{run}},
				Steps:  []engine.Step{{Run: run, Flow: "f", Kind: "run.started"}, {Run: run, Flow: "f", Kind: "node.started"}},
				Tasks:  []engine.Task{{ID: run + ":call", Run: run, Kind: engine.TaskCall, Due: l.now()}},
				Waits:  []engine.Wait{{Correlation: run, Run: run, Node: "n", Visit: 1, Expires: l.now().Add(time.Hour)}},
				Cursor: engine.Cursor{Subscription: cursor, Value: []byte(run)}})
			return err
		}
		check(t, began("known", false, ""))
		check(t, began("goes on", false, ""))

		// One write keeps the writer busy until all others wait for it.
		held, release := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			check(t, l.DB().Write(ctx, "hold the others up", func(*sqldb.Tx) error {
				close(held)
				<-release
				return nil
			}))
		})
		<-held
		const many = 77
		var refused, other []error
		var mu sync.Mutex
		one := func(fn func() error) {
			all.Go(func() {
				err := fn()
				mu.Lock()
				defer mu.Unlock()
				if errors.Is(err, engine.ErrConflict) {
					refused = append(refused, err)
				} else if err != nil {
					other = append(other, err)
				}
			})
		}
		for i := range many {
			one(func() error { return began(fmt.Sprintf("new-%02d", i), i%2 == 0, "") })
		}
		one(func() error { return began("known", false, "s") })
		one(func() error {
			_, err := l.Append(ctx, engine.Batch{Run: "goes on", Digest: "d", Expect: 1, State: []byte("{}"), Over: true,
				Steps: []engine.Step{{Run: "goes on", Kind: "run.finished"}}, Done: []string{"goes on:call"}})
			return err
		})
		one(func() error { return l.Publish(ctx, engine.Step{Run: "new-00", Kind: "node.progress"}) })
		one(func() error { return l.PutCursor(ctx, engine.Cursor{Subscription: "t", Value: []byte("1")}) })
		one(func() error { return l.Bury(ctx, engine.DeadLetter{ID: "d1"}) })
		close(release)
		all.Wait()

		newest, err := l.Newest(ctx)
		check(t, err)
		if err := began("known", false, "s"); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("a run that is there began: %v", err)
		}
		if again, err := l.Newest(ctx); err != nil || again != newest {
			t.Errorf("what was refused moved the newest step from %d to %d, %v", newest, again, err)
		}
		if len(refused) != 1 || len(other) > 0 {
			t.Errorf("refused: %v; other errors: %v", refused, other)
		}
		if rec, err := l.Load(ctx, "known"); err != nil || rec.Revision != 1 {
			t.Errorf("the run that was there is at %d, %v", rec.Revision, err)
		}
		bytes := int64(len("known") + len("{}") + many*len("new-00"))
		if c, err := l.Counts(ctx); err != nil || c.Runs != many+2 || c.Bytes != bytes || c.Waits != many+2 || c.Over != many/2+2 || c.DeadLetters != 1 || c.Due[engine.Calls] != many+1 {
			t.Errorf("%+v, %v: want %d runs with %d bytes", c, err, many+2, bytes)
		}
		for name, want := range map[string]string{"s": "", "t": "1"} {
			if got, err := l.Cursor(ctx, name); err != nil || string(got) != want {
				t.Errorf("the cursor of %s is %q, %v, want %q", name, got, err, want)
			}
		}
		seen := map[uint64]bool{}
		for i := range many {
			id := fmt.Sprintf("new-%02d", i)
			steps, err := l.Steps(ctx, id, 0)
			if want := 2; err != nil || len(steps) < want || steps[1].Kind != "node.started" && steps[0].Kind != "node.progress" {
				t.Errorf("the steps of %s are %v, %v", id, steps, err)
			}
			for _, s := range steps {
				if seen[s.Sequence] {
					t.Errorf("two steps have the sequence %d", s.Sequence)
				}
				seen[s.Sequence] = true
			}
			page, err := l.Runs(ctx, engine.Query{About: id, Limit: 2})
			if err != nil || len(page.Runs) != 1 {
				t.Errorf("%s is not found by its subject: %v, %v", id, page.Runs, err)
			}
		}
		if len(seen) != 2*many+1 {
			t.Errorf("%d steps, want %d", len(seen), 2*many+1)
		}
	})
}
