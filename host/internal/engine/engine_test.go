package engine_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/sdk"
)

// The whole way: a menu is sent, a click comes days later, its branch runs.
func TestMenu(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, example(t, "menu.yaml"))
		defer r.stop()
		id := r.run(engine.Request{Flow: "menu", Vars: map[string]any{"name": "Ana"}})
		if got := r.status(id); got != run.StatusRunning || r.phone.count("Hello Ana, how can we help?") != 1 {
			t.Fatalf("%s, calls %+v", got, r.phone.calls)
		}
		armed := r.steps(id)[run.TraceWaitArmed]
		if len(armed) != 1 || armed[0].MessageID != "M1" || armed[0].Node != "ask" || fmt.Sprint(armed[0].Data) != "[reply:sales reply:support reply:billing]" {
			t.Errorf("armed: %+v", armed)
		}
		time.Sleep(2 * 24 * time.Hour)
		if d := r.deliver(click("e1", id+":ask:1", "billing")); d.Answered != id {
			t.Errorf("delivery %+v", d)
		}
		if got := r.status(id); got != run.StatusSucceeded || r.phone.count("You tapped Label. Invoices go out on the first of the month.") != 1 {
			t.Errorf("%s, calls %+v", got, r.phone.calls)
		}
		if d := r.deliver(click("e1", id+":ask:1", "billing")); !d.Duplicate {
			t.Errorf("a second delivery: %+v", d)
		}
		if answered := r.steps(id)[run.TraceWaitAnswered]; len(answered) != 1 || answered[0].ButtonID != "billing" || answered[0].MessageID != "M1" {
			t.Errorf("answered: %+v", answered)
		}
		time.Sleep(2 * 24 * time.Hour) // the timeout that was disarmed
		if n := len(r.steps(id)[run.TraceWaitTimeout]); n != 0 {
			t.Errorf("%d timeouts after the click", n)
		}
	})
}

// A click on the newer menu and a click on the old one each find their own visit.
func TestBackToMenu(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, example(t, "menu.yaml"))
		defer r.stop()
		id := r.run(engine.Request{Flow: "menu"})
		synctest.Wait()
		r.deliver(click("e1", id+":ask:1", "support"))
		synctest.Wait()
		r.deliver(click("e2", id+":support:2", "back"))
		synctest.Wait()
		r.deliver(click("e3", id+":ask:3", "sales"))
		if got := r.status(id); got != run.StatusSucceeded {
			t.Fatalf("%s, want succeeded", got)
		}
		if d := r.deliver(click("e4", id+":support:2", "on")); d.Answered != id {
			t.Errorf("the old menu: %+v", d)
		}
		synctest.Wait()
		if n := r.phone.count("Then we look into it. Your ticket is " + id + "."); n != 1 {
			t.Errorf("%d tickets, want 1", n)
		}
	})
}

const race = `
apiVersion: flow/v1
kind: Flow
metadata: {id: race}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "1", contentText: Menu, buttons: [{id: a, displayText: A}, {id: b, displayText: B}]}
    wait: {timeout: 1h, late: reject}
  - {id: a, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: A}}
  - {id: b, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: B}}
  - {id: c, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: C}}
edges:
  - {from: "ask.reply:a", to: a}
  - {from: "ask.reply:b", to: b}
  - {from: ask.timeout, to: c}
`

// Of many clicks, a timeout and a cancellation at the same moment, exactly one takes effect.
func TestOneAnswerWins(t *testing.T) {
	for _, at := range []time.Duration{time.Minute, time.Hour + time.Second} { // the timeout is taken in the second
		synctest.Test(t, func(t *testing.T) {
			log := engine.NewMemory(0)
			p := &phone{}
			r, other := newRig(t, log, p, race), newRig(t, log, p, race) // two hosts on one log
			defer r.stop()
			defer other.stop()
			id := r.run(engine.Request{Flow: "race"})
			synctest.Wait()
			time.Sleep(at)
			var wg sync.WaitGroup
			for i := range 32 {
				wg.Go(func() {
					to := []*rig{r, other}[i%2]
					to.deliver(click(fmt.Sprint("e", i), id+":ask:1", string(rune('a'+i/2%2))))
				})
			}
			wg.Wait()
			status := r.status(id)
			if n := p.count("A") + p.count("B") + p.count("C"); n != 1 || status != run.StatusSucceeded {
				t.Errorf("%d branches ran, the run %s; want one, and succeeded", n, status)
			}
			steps := r.steps(id)
			if n := len(steps[run.TraceWaitAnswered]) + len(steps[run.TraceWaitTimeout]); n != 1 {
				t.Errorf("%d settled the wait", n)
			}
			if n := len(steps[run.TraceWaitRefused]); n < 31 {
				t.Errorf("%d of the others were refused, want at least 31", n)
			}
		})
	}
}

// Nobody answers: the timeout port is taken, on time.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, race)
		defer r.stop()
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		time.Sleep(time.Hour - time.Second)
		if got := r.status(id); got != run.StatusRunning {
			t.Errorf("too early: %s", got)
		}
		time.Sleep(2 * time.Second)
		if got := r.status(id); got != run.StatusSucceeded || r.phone.count("C") != 1 {
			t.Errorf("%s, C went out %d times", got, r.phone.count("C"))
		}
	})
}

// A temporary failure is retried later, under the same key.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var at []time.Duration
		p := &phone{before: func(_ context.Context, _ engine.Call, nth int) error {
			at = append(at, time.Since(begin))
			if nth < 3 {
				return &sdk.Problem{Code: "busy", Message: "busy", Effect: sdk.EffectUnknown, Retryable: true}
			}
			return nil
		}}
		r := newRig(t, engine.NewMemory(0), p, race)
		defer r.stop()
		id := r.run(engine.Request{Flow: "race"})
		time.Sleep(time.Minute)
		if got := r.status(id); got != run.StatusRunning || p.count("Menu") != 1 {
			t.Errorf("%s, %d menus", got, p.count("Menu"))
		}
		for nth, pause := range []time.Duration{2 * time.Second, 4 * time.Second} { // up to a fifth longer
			if got := at[nth+1] - at[nth]; got < pause || got > pause*6/5 {
				t.Errorf("attempts at %v, want %v between them", at, pause)
			}
		}
		for _, c := range p.calls {
			if c.Key != engine.RunKeys+id+":ask:1" || c.Correlation != id+":ask:1" {
				t.Errorf("key %s, correlation %s", c.Key, c.Correlation)
			}
		}
	})
}

// A call that never returns ends at its deadline, and is retried as often as the flow says.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{before: func(ctx context.Context, _ engine.Call, _ int) error { <-ctx.Done(); return ctx.Err() }}
		r := newRig(t, engine.NewMemory(0), p, race)
		defer r.stop()
		id := r.run(engine.Request{Flow: "race"})
		time.Sleep(flow.DefaultAttempts*flow.DefaultDeadline + 2*time.Minute)
		if got := r.status(id); got != run.StatusFailed || len(p.calls) != flow.DefaultAttempts {
			t.Errorf("%s after %d calls", got, len(p.calls))
		}
		if s, err := r.State(context.Background(), id); err != nil || s.Error.Code != "deadline_exceeded" {
			t.Errorf("error %+v (%v)", s.Error, err)
		}
	})
}

// Stop lets a call finish if it can and cancels it if it cannot; a cancelled call is made again by
// the next engine on the log, under the same key.
func TestStopAndCarryOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := engine.NewMemory(0)
		stuck := &phone{before: func(ctx context.Context, _ engine.Call, _ int) error { <-ctx.Done(); return ctx.Err() }}
		r := newRig(t, log, stuck, race)
		id := r.run(engine.Request{Flow: "race"})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v, want that calls were cut", err)
		}
		next := newRig(t, log, &phone{}, race)
		defer next.stop()
		time.Sleep(flow.DefaultDeadline + time.Minute) // the lease of the cut call runs out
		if got := next.status(id); got != run.StatusRunning || next.phone.count("Menu") != 1 {
			t.Errorf("%s, %d menus", got, next.phone.count("Menu"))
		}
		if a, b := stuck.calls[0].Key, next.phone.calls[0].Key; a != b {
			t.Errorf("keys %s and %s differ", a, b)
		}
		if err := r.Start(context.Background()); !errors.Is(err, engine.ErrState) {
			t.Errorf("a second start: %v", err)
		}
	})
}

// A built-in node with a bug fails its visit, not the host.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, `
apiVersion: flow/v1
kind: Flow
metadata: {id: f}
triggers: [{id: start, type: manual, to: bug}]
nodes:
  - {id: bug, type: panics@1, with: {message: x}}
  - {id: say, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: "${ error.code }: ${ error.message }"}}
edges:
  - {from: bug.error, to: say}
`)
		defer r.stop()
		id := r.run(engine.Request{Flow: "f"})
		if got := r.status(id); got != run.StatusSucceeded || r.phone.count("panic: panics@1 panicked: a bug") != 1 {
			t.Errorf("%s, calls %+v", got, r.phone.calls)
		}
	})
}

// Built-in nodes run between two steps, in order, and a failure cancels the calls requested beside
// it.
func TestBuiltinsInOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looked := make(chan struct{}) // holds up the send, whose outcome would be the second revision
		r := newRig(t, engine.NewMemory(0), &phone{before: func(context.Context, engine.Call, int) error { <-looked; return nil }}, `
apiVersion: flow/v1
kind: Flow
metadata: {id: f}
vars: {type: object, properties: {n: {type: integer, default: 1}, fail: {type: boolean, default: false}}}
triggers: [{id: start, type: manual, to: set}]
nodes:
  - {id: set, type: set@1, with: {values: {n: "${ vars.n + 1 }"}}}
  - {id: which, type: switch@1, with: {cases: [{id: two, when: "${ vars.n == 2 }"}]}}
  - {id: say, type: whatsapp.sendText@1, with: {instance: demo, number: "1", contentText: "n is ${ vars.n }"}}
  - {id: bug, type: log@1, with: {message: "${ vars.fail ? event.missing.x : 'fine' }"}}
edges:
  - {from: set.out, to: which}
  - {from: "which.case:two", to: say}
  - {from: "which.case:two", to: bug}
`)
		defer r.stop()
		id := r.run(engine.Request{Flow: "f"})
		if rec, err := r.log.Load(context.Background(), id); err != nil || rec.Revision != 1 {
			t.Errorf("revision %d (%v), want everything up to the send in one", rec.Revision, err)
		}
		close(looked)
		if got := r.status(id); got != run.StatusSucceeded || r.phone.count("n is 2") != 1 {
			t.Errorf("%s, calls %+v", got, r.phone.calls)
		}
		id = r.run(engine.Request{Flow: "f", Vars: map[string]any{"fail": true}})
		if got := r.status(id); got != run.StatusFailed || r.phone.count("n is 2") != 1 {
			t.Errorf("%s; the send beside the failure went out: %+v", got, r.phone.calls)
		}
	})
}
