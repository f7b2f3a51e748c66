package sqllog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// A full Log removes the run that was over first, with all that belongs to it, and never a run that
// is not over.
func TestFull(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		o := place(t)
		o.Limits.Runs = 3
		l := open(t, o)
		put := func(run string, expect uint64, over bool) error {
			_, err := l.Append(t.Context(), engine.Batch{Run: run, Expect: expect, State: []byte("{}"), Over: over,
				Waits: []engine.Wait{{Correlation: run, Run: run, Expires: time.Now().Add(time.Hour)}}, Steps: []engine.Step{{Run: run}}})
			return err
		}
		for _, err := range []error{put("a", 0, true), put("b", 0, true), put("c", 0, false), put("a", 1, false), put("d", 0, true)} {
			check(t, err)
		}
		_, err := l.Load(t.Context(), "b")
		_, waitErr := l.Wait(t.Context(), "b")
		steps, stepsErr := l.Steps(t.Context(), "b", 0)
		if !errors.Is(err, engine.ErrNotFound) || !errors.Is(waitErr, engine.ErrNotFound) || stepsErr != nil || len(steps) > 0 {
			t.Errorf("b was over first, for a was reopened: %v, its wait: %v, its steps: %v %v", err, waitErr, steps, stepsErr)
		}
		check(t, put("e", 0, false)) // d goes
		if err := put("f", 0, false); !errors.Is(err, engine.ErrFull) {
			t.Errorf("three runs go on: %v, want ErrFull", err)
		}
	})
}

// Old data is removed: runs that are over with their versions, waits and steps. A reader that
// wanted removed steps gets ErrLagged.
func TestSweep(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		now := time.Now()
		o := place(t)
		o.Now, o.Limits.Steps = func() time.Time { return now }, 700
		l := open(t, o)
		ctx := t.Context()
		check(t, l.PutFlow(ctx, engine.Version{Digest: "old", Flow: "f", Source: []byte("1")}))
		for _, run := range []string{"over", "going"} {
			_, err := l.Append(ctx, engine.Batch{Run: run, Digest: "old", State: []byte("{}"), Over: run == "over",
				Waits: []engine.Wait{{Correlation: run, Run: run, Expires: now.Add(time.Hour)}}, Steps: []engine.Step{{Run: run}}})
			check(t, err)
		}
		now = now.Add(time.Minute)
		check(t, l.PutFlow(ctx, engine.Version{Digest: "new", Flow: "f", Source: []byte("2")}))
		now = now.Add(31 * 24 * time.Hour)
		for i := range 1300 {
			check(t, l.Publish(ctx, engine.Step{Run: "going", Visit: i}))
		}
		check(t, l.sweeper.Sweep(ctx))
		if _, err := l.Load(ctx, "over"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("the run that was over: %v", err)
		}
		_, err := l.Load(ctx, "going")
		check(t, err)
		_, err = l.Flow(ctx, "old") // going belongs to it
		check(t, err)
		var said []string
		for st, err := range l.Watch(ctx, "", 1) {
			if said = append(said, fmt.Sprint(st.Visit, err)); len(said) == 2 {
				break
			}
		}
		if want := []string{fmt.Sprint(0, engine.ErrLagged), "600 <nil>"}; strings.Join(said, "\n") != strings.Join(want, "\n") {
			t.Errorf("the reader saw %q, want %q", said, want)
		}
		_, err = l.Append(ctx, engine.Batch{Run: "going", Digest: "old", Expect: 1, State: []byte("{}"), Over: true})
		check(t, err)
		now = now.Add(31 * 24 * time.Hour)
		check(t, l.sweeper.Sweep(ctx))
		if _, err := l.Flow(ctx, "old"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("a version without runs: %v", err)
		}
		_, err = l.Flow(ctx, "new")
		check(t, err)
		var left int
		check(t, l.db.Row(ctx, `SELECT runs + bytes + (SELECT count(*) FROM engine_runs) + (SELECT count(*) FROM engine_waits) + (SELECT count(*) FROM engine_steps) FROM engine_totals`, nil, &left))
		if left != 0 {
			t.Errorf("%d rows and bytes are left", left)
		}
	})
}

// TestEveryQueryHasItsIndex: no query reads a whole table to find some rows.
func TestEveryQueryHasItsIndex(t *testing.T) {
	ctx, o := t.Context(), Options{Dir: t.TempDir(), Limits: Limits{Runs: 2, Steps: 1}}
	check(t, open(t, o).Close()) // migrations may read what they like
	l := open(t, o)
	call := engine.Task{ID: "call", Run: "r", Kind: engine.TaskCall, Due: time.Now()}
	_, err := l.Append(ctx, engine.Batch{Run: "r", State: []byte("{}"), Tasks: []engine.Task{call}, Done: []string{"x"}, Steps: []engine.Step{{Run: "r"}},
		Waits: []engine.Wait{{Correlation: "r", Run: "r", Expires: time.Now().Add(time.Hour)}}})
	check(t, err)
	for _, q := range []engine.Query{{}, {Flow: "f"}, {Status: run.StatusFailed}, {About: "1"}, {Flow: "f", Node: "n"}} {
		_, err := l.Runs(ctx, q)
		check(t, err)
	}
	_, err = l.Found(ctx, "r")
	check(t, err)
	_, err = l.Waiting(ctx, "f", "n")
	check(t, err)
	held, err := l.Next(ctx, engine.Calls)
	check(t, err)
	_, err = l.Append(ctx, engine.Batch{Run: "r", Expect: 1, Index: engine.Index{Flow: "f", Waits: []string{"n"}, Subjects: []string{"1"}}, State: []byte("{}"), Ends: held, Over: true, Tasks: []engine.Task{call}})
	check(t, err)
	held, err = l.Next(ctx, engine.Calls)
	check(t, errors.Join(err, l.Drop(ctx, held)))
	check(t, l.PutFlow(ctx, engine.Version{Digest: "d", Flow: "f", Source: []byte("1")}))
	check(t, l.PutFlow(ctx, engine.Version{Digest: "e", Flow: "f", Source: []byte("2"), State: engine.Draft}))
	_, err = l.Flow(ctx, "d")
	check(t, err)
	_, err = l.Versions(ctx, "f")
	check(t, err)
	_, _, err = l.Published(ctx)
	check(t, err)
	_, err = l.Runs(ctx, engine.Query{Flow: "f", Version: 1})
	check(t, errors.Join(err, l.Retire(ctx, "f")))
	_, err = l.Wait(ctx, "r")
	check(t, err)
	_, err = l.Steps(ctx, "r", 0)
	check(t, err)
	for range l.Watch(ctx, "", 0) {
		break
	}
	for _, run := range []string{"s", "u"} {
		_, err = l.Append(ctx, engine.Batch{Run: run, State: []byte("{}"), Steps: []engine.Step{{Run: run}}})
		check(t, err)
	}
	check(t, l.sweeper.Sweep(ctx))
	plans, err := l.db.Plans(ctx, "engine_")
	if err != nil || len(plans) < 45 {
		t.Errorf("%d queries were seen: %v", len(plans), err)
	}
	for query, plan := range plans {
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING") && !strings.Contains(step, "oldest") && !strings.Contains(step, "latest") && !strings.Contains(step, "VALUES") && step != "SCAN CONSTANT ROW" && !strings.Contains(query, "engine_meta") {
				t.Errorf("%s\n\t%s", query, strings.Join(plan, "\n\t"))
			}
			whole := strings.HasSuffix(step, "engine_runs_ended") || strings.HasSuffix(step, "engine_flows_published") // they have nothing else
			if strings.HasPrefix(step, "SCAN engine_") && strings.Contains(step, "USING INDEX") && strings.Contains(query, " WHERE ") && !whole {
				t.Errorf("an index is read from end to end for some rows: %s\n\t%s", query, strings.Join(plan, "\n\t"))
			}
			if strings.Contains(query, "ORDER BY r.started_at") && strings.Contains(step, "TEMP B-TREE") {
				t.Errorf("a list is sorted: %s\n\t%s", query, strings.Join(plan, "\n\t"))
			}
		}
	}
}
