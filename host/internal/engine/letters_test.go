package engine_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

func deadLetters(t *testing.T, r *rig) []engine.DeadLetter {
	t.Helper()
	letters, err := r.DeadLetters(context.Background(), "", 100)
	if err != nil {
		t.Fatal(err)
	}
	return letters
}

// A full log takes no new runs. Answers to its existing runs still go through, and an event that
// would have started a run can be resent when there is room.
func TestFullLogHoldsUpNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(1), &phone{}, greeter)
		defer r.stop()
		ctx := context.Background()
		first := r.deliver(forTrigger(words("m1", "", "menu"), "greeter/any")).Started
		if len(first) != 1 {
			t.Fatal("the first message started nothing")
		}
		r.status(first[0])
		for i := range 3 {
			ev := forTrigger(words(fmt.Sprint("more", i), "", "menu"), "greeter/any")
			ev.Subscription, ev.Cursor = "host", []byte{byte(i)}
			if d := r.deliver(ev); !d.Dead || len(d.Started) != 0 {
				t.Fatalf("over the limit: %+v", d)
			}
			if got, err := r.log.Cursor(ctx, "host"); err != nil || got[0] != byte(i) {
				t.Errorf("the subscription goes on at %v (%v)", got, err)
			}
		}
		r.deliver(click("tap", first[0]+":ask:1", "a"))
		if got := r.status(first[0]); got != run.StatusSucceeded {
			t.Errorf("the run that was answered is %s", got)
		}
		letters := deadLetters(t, r)
		if len(letters) != 3 || letters[0].Code != "full" || letters[0].Flow != "greeter" {
			t.Fatalf("%+v", letters)
		}
		if d, err := r.Resend(ctx, letters[0].ID); err != nil || len(d.Started) != 1 || d.Dead {
			t.Errorf("resent with room: %+v, %v", d, err)
		}
		if d, err := r.Resend(ctx, letters[1].ID); err != nil || !d.Dead || len(deadLetters(t, r)) != 2 {
			t.Errorf("resent without room: %+v, %v, %d letters", d, err, len(deadLetters(t, r)))
		}
	})
}
