package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// An answer to a run whose version this process cannot get is visibly refused, blocks no event
// behind it, and is taken when it is resent to a process that has the version.
func TestUnknownVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		r := newRig(t, log, &phone{}, race)
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		r.stop()
		next := newRig(t, log, &phone{}) // without the flow, and without Compile
		if d := next.deliver(click("e", id+":ask:1", "a")); !d.Dead {
			t.Errorf("%+v", d)
		}
		if refused := next.steps(id)[run.TraceWaitRefused]; len(refused) != 1 || refused[0].Code != "unknown_flow" || refused[0].ButtonID != "a" {
			t.Errorf("refused: %+v", refused)
		}
		if got := next.status(id); got != run.StatusRunning {
			t.Errorf("the run is %s", got)
		}
		next.stop()
		third := newRig(t, log, &phone{}, race)
		defer third.stop()
		letters := deadLetters(t, third)
		if len(letters) != 1 || letters[0].Run != id || letters[0].Code != "unknown_flow" {
			t.Fatalf("dead letters: %+v", letters)
		}
		d, err := third.Resend(context.Background(), letters[0].ID)
		if err != nil || d.Answered != id || len(deadLetters(t, third)) != 0 {
			t.Errorf("resent: %+v, %v; %d letters are left", d, err, len(deadLetters(t, third)))
		}
	})
}

// An answer that a process with the version has taken counts as seen in a process without it, and
// becomes no dead letter.
func TestTakenElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		r := newRig(t, log, &phone{}, race)
		tap := click("e", r.run(engine.Request{Flow: "race"})+":ask:1", "a")
		synctest.Wait()
		if d := r.deliver(tap); d.Answered == "" || d.Duplicate {
			t.Errorf("%+v", d)
		}
		r.stop()
		next := newRig(t, log, &phone{})
		defer next.stop()
		if d := next.deliver(tap); !d.Duplicate || d.Dead {
			t.Errorf("%+v", d)
		}
	})
}

// An event of a subscription is left to a process that can run more of the versions in use: here it
// is neither taken nor made a dead letter. Once there is no such process, it is handled as usual.
func TestLeftToTheFitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, fitter := engine.NewMemory(0), false
		r := newRig(t, log, &phone{}, race)
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		r.stop()
		old, err := engine.New(engine.Options{Log: log, Executor: &phone{}, Fitter: func(context.Context, bool) bool { return fitter },
			Compile: func(string, []byte) (*flow.Program, error) { return nil, errors.New("it has no such node") }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := old.Sync(t.Context()); !errors.Is(err, engine.ErrUnknownFlow) || old.Unfit() != 1 {
			t.Errorf("%v, %d versions do not fit", err, old.Unfit())
		}
		tap := click("e", id+":ask:1", "a")
		tap.Subscription, tap.Cursor = "taps", []byte("1")
		fitter = true
		if d, err := old.Deliver(t.Context(), tap); err == nil || d.Dead || d.Answered != "" {
			t.Errorf("it took %+v (%v)", d, err)
		}
		if letters, err := old.DeadLetters(t.Context(), "", 1); err != nil || len(letters) != 0 {
			t.Errorf("letters: %v %v", letters, err)
		}
		if at, err := log.Cursor(t.Context(), "taps"); err != nil || at != nil {
			t.Errorf("the stream goes on behind it: %q %v", at, err)
		}
		fitter = false
		if d, err := old.Deliver(t.Context(), tap); err != nil || !d.Dead {
			t.Errorf("with nobody else: %+v (%v)", d, err)
		}
	})
}

// A version that runs still wait in counts as unfit from the start of a process whose nodes cannot run
// it, even if a later version is published that they can, and until no run waits in it.
func TestUnfitVersionThatRunsWaitIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		r := newRig(t, log, &phone{}, race)
		defer r.stop()
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		later := r.load(strings.ReplaceAll(race, "Menu", "Another menu"))
		if err := r.Deploy(t.Context(), later); err != nil {
			t.Fatal(err)
		}
		other, err := engine.New(engine.Options{Log: log, Executor: &phone{}, Compile: func(_ string, source []byte) (*flow.Program, error) {
			if string(source) != string(later.Flow().Source) {
				return nil, errors.New("it has no such node")
			}
			return later, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		unfit := func(want int) {
			t.Helper()
			if _, err := other.Sync(t.Context()); err != nil || other.Unfit() != want {
				t.Errorf("%d versions do not fit (%v), want %d", other.Unfit(), err, want)
			}
		}
		unfit(1)
		unfit(1)
		if listed, err := other.Flows(t.Context(), ""); err != nil || len(listed) != 1 || listed[0].Waiting != 1 {
			t.Errorf("listed: %+v (%v)", listed, err)
		}
		r.deliver(click("e", id+":ask:1", "a"))
		synctest.Wait()
		unfit(0)
	})
}
