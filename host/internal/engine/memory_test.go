package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/enginetest"
)

func TestMemory(t *testing.T) {
	enginetest.Log(t, func(*testing.T) enginetest.Place {
		return enginetest.Place{Open: func(*testing.T) engine.Log { return engine.NewMemory(0) }}
	})
}

// A full Memory removes the run that was over first, with its waits and tasks, and never a run that
// is not over.
func TestMemoryMakesRoom(t *testing.T) {
	ctx := context.Background()
	m := engine.NewMemory(3)
	put := func(run string, expect uint64, over bool) error {
		_, err := m.Append(ctx, engine.Batch{Run: run, Expect: expect, State: []byte("{}"), Over: over,
			Waits: []engine.Wait{{Correlation: run, Run: run, Expires: time.Now().Add(time.Hour)}},
			Tasks: []engine.Task{{ID: run, Run: run, Kind: engine.TaskCall, Due: time.Now().Add(time.Hour)}}})
		return err
	}
	for _, err := range []error{put("a", 0, true), put("b", 0, true), put("c", 0, false), put("a", 1, false), put("d", 0, true)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Load(ctx, "b"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("b: %v, want ErrNotFound: it was over first, for a was reopened", err)
	}
	if _, err := m.Wait(ctx, "b"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("the wait of b: %v, want ErrNotFound", err)
	}
	if err := put("e", 0, false); err != nil {
		t.Fatal(err)
	}
	if err := put("f", 0, false); !errors.Is(err, engine.ErrFull) {
		t.Errorf("three runs go on: %v, want ErrFull", err)
	}
}

// A slow reader gets ErrLagged and continues with the steps that are left.
func TestMemoryWatchLags(t *testing.T) {
	ctx := context.Background()
	m := engine.NewMemory(0)
	for i := range 20_000 {
		if err := m.Publish(ctx, engine.Step{Run: "r", Visit: i}); err != nil {
			t.Fatal(err)
		}
	}
	lagged := 0
	for st, err := range m.Watch(ctx, "r", 100) {
		if errors.Is(err, engine.ErrLagged) {
			lagged++
			continue
		}
		if got := fmt.Sprint(lagged, st.Sequence, st.Visit); got != fmt.Sprint(1, 20_000-16<<10+1, 20_000-16<<10) {
			t.Errorf("first step after the gap: %s", got)
		}
		break
	}
}

// A task that its holder neither ends nor holds is handed out again.
func TestMemoryLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		m := engine.NewMemory(0)
		begin := time.Now()
		if _, err := m.Append(ctx, engine.Batch{Run: "r", State: []byte("{}"), Tasks: []engine.Task{{ID: "a", Run: "r", Kind: engine.TaskCall, Due: begin}}}); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			task, err := m.Next(ctx, engine.Calls)
			if want := time.Duration(i) * engine.Lease; err != nil || task.ID != "a" || time.Since(begin) != want {
				t.Fatalf("got %v (%v) after %s, want a after %s", task.ID, err, time.Since(begin), want)
			}
		}
	})
}
