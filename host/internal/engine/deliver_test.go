package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

const greeter = `
apiVersion: flow/v1
kind: Flow
metadata: {id: greeter}
vars: {type: object, required: [phone], properties: {phone: {type: string}}}
triggers:
  - {id: any, type: whatsapp.messageReceived@1, when: "${ event.text == 'menu' }", vars: {phone: "${ event.chat.phone }"}, to: ask}
  - {id: word, type: whatsapp.messageReceived@1, with: {keywords: [start]}, vars: {phone: "${ event.chat.phone }"}, to: say}
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "${ vars.phone }", contentText: Menu, buttons: [{id: a, displayText: A}]}
    wait: {timeout: 1h}
  - {id: say, type: whatsapp.sendText@1, with: {instance: demo, number: "${ vars.phone }", contentText: "Heard ${ event.text }"}}
edges:
  - {from: "ask.reply:a", to: say}
  - {from: ask.timeout, to: say}
`

// A message starts a run once, however often and however concurrently it is delivered, and only for
// the triggers that accept it.
func TestTriggers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, greeter)
		defer r.stop()
		var mu sync.Mutex
		var started []string
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				d := r.deliver(words("m1", "", "menu"))
				mu.Lock()
				defer mu.Unlock()
				if started = append(started, d.Started...); len(d.Started) == 0 && !d.Duplicate {
					t.Errorf("neither started nor a duplicate: %+v", d)
				}
			})
		}
		wg.Wait()
		if len(started) != 1 {
			t.Fatalf("%d runs started, want 1", len(started))
		}
		if got := r.status(started[0]); got != run.StatusRunning || r.phone.count("Menu") != 1 {
			t.Errorf("%s, %d menus", got, r.phone.count("Menu"))
		}
		for name, c := range map[string]struct {
			ev      engine.Event
			started int
		}{
			"the condition is false":           {words("m2", "", "hello"), 0},
			"a filter nobody has applied":      {words("m3", "", "start"), 0},
			"from the filtered subscription":   {forTrigger(words("m4", "", "start"), "greeter/word"), 1},
			"another trigger's subscription":   {forTrigger(words("m5", "", "menu"), "other/word"), 0},
			"variables that do not fit":        {engine.Event{ID: "m6", Type: "whatsapp.message.received.v1", Data: []byte(`{"text":"menu","chat":{"phone":null}}`)}, 0},
			"an event type nobody listens for": {engine.Event{ID: "m7", Type: "whatsapp.other.v1", Data: []byte(`{}`)}, 0},
		} {
			if d := r.deliver(c.ev); len(d.Started) != c.started {
				t.Errorf("%s: started %v, want %d", name, d.Started, c.started)
			}
		}
	})
}

func forTrigger(ev engine.Event, name string) engine.Event {
	ev.For = name
	return ev
}

// A text that answers a menu but has no edge in the flow starts the runs that its triggers start;
// the menu keeps waiting. The text arrives once per subscription.
func TestDeclinedAnswerMayStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, greeter)
		defer r.stop()
		id := r.deliver(words("m1", "", "menu")).Started[0]
		synctest.Wait()
		ev := words("m2", id+":ask:1", "menu")
		if d := r.deliver(ev); d.Answered != "" || len(d.Started) != 1 {
			t.Errorf("%+v, want a run started", d)
		}
		if d := r.deliver(forTrigger(ev, "greeter/word")); len(d.Started) != 1 {
			t.Errorf("filtered: %+v, want a run started", d)
		}
		r.deliver(click("e1", id+":ask:1", "a"))
		if got := r.status(id); got != run.StatusSucceeded {
			t.Errorf("%s, want succeeded", got)
		}
	})
}

// An answer to an unknown correlation is refused in a step that people can see.
func TestUnknownCorrelation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, greeter)
		defer r.stop()
		if d := r.deliver(click("e1", "gone:ask:1", "a")); d.Answered != "" || len(d.Started) != 0 {
			t.Errorf("%+v", d)
		}
		if refused := r.steps("")[run.TraceWaitRefused]; len(refused) != 1 || refused[0].Code != "unknown" || refused[0].ButtonID != "a" {
			t.Errorf("refused: %+v", refused)
		}
	})
}

// An invalid event is kept as a dead letter, and stays one when it is sent again.
func TestBadEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, greeter)
		defer r.stop()
		ctx := context.Background()
		for name, ev := range map[string]engine.Event{
			"no id":    {Type: "t", Data: []byte(`{}`)},
			"no type":  {ID: "1", Data: []byte(`{}`)},
			"no data":  {ID: "1", Type: "t"},
			"not JSON": {ID: "1", Type: "t", Data: []byte(`{`)},
			"too big":  {ID: "1", Type: "t", Data: []byte(`"` + strings.Repeat("a", engine.MaxEvent) + `"`)},
		} {
			if d := r.deliver(ev); !d.Dead {
				t.Errorf("%s: %+v", name, d)
			}
			letters, err := r.DeadLetters(ctx, "", 1)
			if err != nil || len(letters) != 1 || letters[0].Code != "bad_event" || letters[0].Event.ID != ev.ID {
				t.Fatalf("%s: %+v, %v", name, letters, err)
			}
			if d, err := r.Resend(ctx, letters[0].ID); err != nil || !d.Dead {
				t.Errorf("%s, resent: %+v, %v", name, d, err)
			}
			for _, l := range deadLetters(t, r) {
				if err := r.DropDeadLetter(ctx, l.ID); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// Starting by hand: unknown flows, triggers and variables are told apart, and a
// key starts one run.
func TestRunRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, greeter, race)
		defer r.stop()
		ctx := context.Background()
		if _, err := r.Run(ctx, engine.Request{Flow: "nope"}); !errors.Is(err, engine.ErrUnknownFlow) {
			t.Errorf("unknown flow: %v", err)
		}
		if _, err := r.Run(ctx, engine.Request{Flow: "greeter"}); err == nil {
			t.Error("a flow without a manual trigger started by hand")
		}
		var invalid *flow.InvalidError
		if _, err := r.Run(ctx, engine.Request{Flow: "race", Vars: map[string]any{"x": 1}}); !errors.As(err, &invalid) {
			t.Errorf("unknown variable: %v", err)
		}
		a, b := r.run(engine.Request{Flow: "race", Key: "k"}), r.run(engine.Request{Flow: "race", Key: "k"})
		if a != b || r.status(a) != run.StatusRunning || r.phone.count("Menu") != 1 {
			t.Errorf("runs %s and %s, %d menus", a, b, r.phone.count("Menu"))
		}
		if err := r.Cancel(ctx, a, "enough"); err != nil {
			t.Fatal(err)
		}
		r.deliver(click("e1", a+":ask:1", "a"))
		if got := r.status(a); got != run.StatusCancelled || r.phone.count("A") != 0 {
			t.Errorf("after cancel and a click: %s, calls %+v", got, r.phone.calls)
		}
		if _, err := r.State(ctx, "nope"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("state of an unknown run: %v", err)
		}
	})
}
