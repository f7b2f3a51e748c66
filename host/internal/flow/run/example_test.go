package run_test

import (
	"fmt"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// A host keeps the State, carries out the Effects and returns the outcomes as Events. Here the
// phone is two lines of code.
func ExampleApply() {
	cat, err := flow.NewCatalogue(flowtest.Operations()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	program, _, err := flow.Load([]byte(`
apiVersion: flow/v1
kind: Flow
metadata: {id: confirm}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with:
      instance: demo
      number: "5511999990001"
      contentText: Is the order right?
      buttons: [{id: "yes", displayText: "Yes"}]
    wait: {timeout: 2d}
  - id: thanks
    type: whatsapp.sendText@1
    with: {instance: demo, number: "5511999990001", contentText: "Thank you for “${ event.button.displayText }”"}
edges:
  - {from: "ask.reply:yes", to: thanks}
`), cat)
	if err != nil {
		fmt.Println(err)
		return
	}
	state := run.State{Run: "r1"}
	for _, event := range []run.Event{
		{Kind: run.Started, Trigger: "start"},
		{Kind: run.Succeeded, Visit: 1, Attempt: 1, Data: map[string]any{"messageId": "M1"}},
		{Kind: run.Answered, Visit: 1, Type: "whatsapp.button.clicked.v1",
			Data: map[string]any{"button": map[string]any{"id": "yes", "displayText": "Yes"}}},
		{Kind: run.Succeeded, Visit: 2, Attempt: 1},
	} {
		event.At = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		var effects []run.Effect
		if state, effects, err = run.Apply(program, state, event); err != nil {
			fmt.Println(err)
			return
		}
		for _, effect := range effects {
			if x, ok := effect.(run.Execute); ok {
				fmt.Println("call", x.Operation, "with key", x.Key, "and text", x.Input["contentText"])
			}
		}
		for _, next := range state.Pending() {
			fmt.Println("pending:", next.Kind, "of", next.Node)
		}
	}
	fmt.Println("the run has", state.Status)
	// Output:
	// call whatsapp.sendButtons@1 with key r1:ask:1 and text Is the order right?
	// pending: call of ask
	// pending: timeout of ask
	// call whatsapp.sendText@1 with key r1:thanks:2 and text Thank you for “Yes”
	// pending: call of thanks
	// the run has succeeded
}
