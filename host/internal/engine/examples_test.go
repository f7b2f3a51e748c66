package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Every flow a newcomer can run does what its comment says, without variables.
func TestExampleFlows(t *testing.T) {
	for name, c := range map[string]struct {
		file, clicked string // button; "" lets the wait time out
		last          string // text of the last message
	}{
		"menu, sales":      {"menu.yaml", "sales", "A colleague from sales will write to you."},
		"menu, billing":    {"menu.yaml", "billing", "You tapped Label. Invoices go out on the first of the month."},
		"menu, no answer":  {"menu.yaml", "", "Hello there, how can we help?"},
		"receipt, ok":      {"receipt.yaml", "ok", "Great. See you soon!"},
		"receipt, problem": {"receipt.yaml", "problem", "We are sorry. Please describe what is wrong with order A-10293."},
		"contact":          {"contact.yaml", "", "Here is how you reach us. The coupon is yours."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, engine.NewMemory(0), &phone{}, example(t, c.file))
				defer r.stop()
				id := c.file[:len(c.file)-len(".yaml")]
				runID := r.run(engine.Request{Flow: id})
				synctest.Wait()
				if c.clicked == "" {
					time.Sleep(4 * 24 * time.Hour)
				} else {
					r.deliver(click("e1", r.phone.calls[0].Correlation, c.clicked))
				}
				if got := r.status(runID); got != run.StatusSucceeded || r.phone.count(c.last) != 1 {
					t.Errorf("%s, calls %+v", got, r.phone.calls)
				}
			})
		})
	}
}
