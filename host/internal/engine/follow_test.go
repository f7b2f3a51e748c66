package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// follow collects the steps of a run until there are no more.
func (r *rig) follow(id string) (ended <-chan []engine.Step) {
	out := make(chan []engine.Step, 1)
	go func() {
		var all []engine.Step
		for step, err := range r.Follow(context.Background(), id) {
			if err != nil {
				r.t.Error(err)
			}
			all = append(all, step)
		}
		out <- all
	}()
	return out
}

func (r *rig) forgetSteps(log *engine.Memory) {
	r.t.Helper()
	for range 20_000 {
		if err := log.Publish(context.Background(), engine.Step{Run: "another"}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A stream of steps lasts as long as the run, and shows what follows a reopening.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		r := newRig(t, log, &phone{}, example(t, "menu.yaml"))
		defer r.stop()
		id := r.run(engine.Request{Flow: "menu"})
		synctest.Wait()
		live := r.follow(id)
		for i, tap := range []struct{ correlation, button string }{{":ask:1", "support"}, {":support:2", "back"}, {":ask:3", "sales"}} {
			synctest.Wait()
			select {
			case steps := <-live:
				t.Fatalf("the stream ended before the run, with %d steps", len(steps))
			default:
			}
			r.deliver(click(string(rune('a'+i)), id+tap.correlation, tap.button))
		}
		if steps := <-live; steps[len(steps)-1].Kind != run.TraceRunFinished {
			t.Errorf("the last step is %+v", steps[len(steps)-1])
		}

		r.deliver(click("late", id+":support:2", "on")) // an old menu: the run is open again
		if got := r.status(id); got != run.StatusSucceeded {
			t.Fatalf("%s", got)
		}
		finished := 0
		for _, step := range <-r.follow(id) {
			if step.Kind == run.TraceRunFinished {
				finished++
			}
		}
		if finished != 2 {
			t.Errorf("%d ends of the run, want that before the reopening and that after it", finished)
		}

		r.forgetSteps(log)
		if steps := <-r.follow(id); len(steps) != 0 {
			t.Errorf("forgotten steps: %+v", steps)
		}
		for _, err := range r.Follow(context.Background(), "nobody") {
			if !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("no run: %v", err)
			}
		}
	})
}

// A run whose steps are removed while it waits is followed to its end.
func TestFollowWhatIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		r := newRig(t, log, &phone{}, race)
		defer r.stop()
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		r.forgetSteps(log)
		live := r.follow(id)
		synctest.Wait() // it waits, and does not spin
		if err := r.Cancel(context.Background(), id, "enough"); err != nil {
			t.Fatal(err)
		}
		if steps := <-live; len(steps) != 1 || steps[0].Kind != run.TraceRunFinished {
			t.Errorf("steps %+v", steps)
		}
	})
}

// between is a log in which something happens before the next reading of steps.
type between struct {
	*engine.Memory
	happens func()
}

func (b *between) Steps(ctx context.Context, run string, after uint64) ([]engine.Step, error) {
	if happens := b.happens; happens != nil {
		b.happens = nil
		happens()
	}
	return b.Memory.Steps(ctx, run, after)
}

// Following stops when the run ends while its steps are being read.
func TestFollowAcrossTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &between{Memory: engine.NewMemory(0)}
		r := openRig(t, engine.Options{Log: log, Executor: &phone{}}, example(t, "menu.yaml"))
		defer r.stop()
		id := r.run(engine.Request{Flow: "menu"})
		synctest.Wait()
		log.happens = func() {
			r.deliver(click("a", id+":ask:1", "sales"))
			for r.status(id) != run.StatusSucceeded {
				time.Sleep(time.Millisecond)
			}
		}
		begun := time.Now()
		steps := <-r.follow(id)
		if last := steps[len(steps)-1]; last.Kind != run.TraceRunFinished || time.Since(begun) > time.Second {
			t.Errorf("the last step is %+v, after %v", last, time.Since(begun))
		}
	})
}

// ToRest ends where a run waits for an answer, after everything that happened in parallel with the
// wait; the next ToRest ends after what the answer led to.
func TestToRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, example(t, "menu.yaml"))
		defer r.stop()
		id := r.run(engine.Request{Flow: "menu"})
		var after uint64
		for i, want := range []run.TraceKind{run.TraceWaitArmed, run.TraceWaitArmed, run.TraceRunFinished} {
			var last engine.Step
			for step, err := range r.ToRest(context.Background(), id, after) {
				if err != nil {
					t.Fatal(err)
				}
				last = step
			}
			if after = last.Sequence; last.Kind != want {
				t.Fatalf("rest %d: the last step is %+v, want %s", i, last, want)
			}
			switch i {
			case 0:
				r.deliver(click("a", id+":ask:1", "support"))
			case 1:
				r.deliver(click("b", id+":support:2", "on"))
			}
		}
	})
}
