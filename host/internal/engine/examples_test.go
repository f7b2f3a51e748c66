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
		"reminder, yes":    {"reminder.yaml", "yes", "Noted: Label."},
		"reminder, silent": {"reminder.yaml", "", "We still wait for your answer about tomorrow."},
		"schedule":         {"schedule.yaml", "", "Do we open today?"},
		"parallel, silent": {"parallel.yaml", "", "0 of 2 agreed to close early."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				times := 1
				if name == "reminder, silent" {
					times = 2
				}
				r := newRig(t, engine.NewMemory(0), &phone{}, example(t, c.file))
				defer r.stop()
				id := c.file[:len(c.file)-len(".yaml")]
				runID := r.run(engine.Request{Flow: id})
				if id == "schedule" { // otherwise the schedule would start runs, too
					if err := r.Retire(t.Context(), id); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				if c.clicked == "" {
					time.Sleep(4 * 24 * time.Hour)
				} else {
					r.deliver(click("e1", r.phone.calls[0].Correlation, c.clicked))
				}
				if got := r.status(runID); got != run.StatusSucceeded || r.phone.count(c.last) != times {
					t.Errorf("%s, calls %+v", got, r.phone.calls)
				}
			})
		})
	}
}

// A branch that agreed and one that did not come together once, and a call of a webhook is
// answered and told of.
func TestExampleFlowsOfSeveralBranches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, example(t, "parallel.yaml"), example(t, "webhook.yaml"))
		defer r.stop()
		both := r.run(engine.Request{Flow: "parallel"})
		synctest.Wait()
		r.deliver(click("e1", r.phone.calls[0].Correlation, "agree"))
		synctest.Wait()
		r.deliver(click("e2", r.phone.calls[1].Correlation, "rather-not"))
		synctest.Wait()
		if got := r.status(both); got != run.StatusSucceeded || r.phone.count("1 of 2 agreed to close early.") != 1 {
			t.Errorf("%s, calls %+v", got, r.phone.calls)
		}
		paid := r.run(engine.Request{Flow: "webhook", Trigger: "paid", Data: map[string]any{
			"method": "POST", "path": "paid", "query": map[string]any{}, "headers": map[string]any{},
			"body": map[string]any{"status": "paid", "id": 17, "customer": map[string]any{"phone": "+55 11 99999-0001"}}}})
		synctest.Wait()
		s, err := r.State(t.Context(), paid)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := s.Outputs["answer"].(map[string]any)
		if s.Status != run.StatusSucceeded || answer["status"] != 202 || answer["body"] != `{"run":"`+paid+`"}` || r.phone.count("Order 17 is paid. Thank you!") != 1 {
			t.Errorf("%s, answer %v, calls %+v", s.Status, answer, r.phone.calls)
		}
	})
}
