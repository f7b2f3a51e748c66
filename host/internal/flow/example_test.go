package flow_test

import (
	"fmt"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
)

// A host keeps the State, carries out the Effects and brings the outcomes back
// as Events. Here the phone is two lines of code.
func ExampleProgram_Step() {
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
	state := flow.State{Run: "r1"}
	for _, event := range []flow.Event{
		{Kind: flow.Started, Trigger: "start"},
		{Kind: flow.Succeeded, Visit: 1, Attempt: 1, Data: map[string]any{"messageId": "M1"}},
		{Kind: flow.Answered, Visit: 1, Type: "whatsapp.button.clicked.v1",
			Data: map[string]any{"button": map[string]any{"id": "yes", "displayText": "Yes"}}},
		{Kind: flow.Succeeded, Visit: 2, Attempt: 1},
	} {
		event.At = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
		var effects []flow.Effect
		if state, effects, err = program.Step(state, event); err != nil {
			fmt.Println(err)
			return
		}
		for _, effect := range effects {
			switch x := effect.(type) {
			case flow.Arm:
				fmt.Println("wait for", x.Ports, "under", x.Correlation)
			case flow.Execute:
				fmt.Println("call", x.Operation, "with key", x.Key, "and text", x.Input["contentText"])
			case flow.Finish:
				fmt.Println("finish:", x.Status)
			}
		}
	}
	// Output:
	// wait for [reply:yes] under r1:ask:1
	// call whatsapp.sendButtons@1 with key r1:ask:1 and text Is the order right?
	// wait for [reply:yes] under r1:ask:1
	// call whatsapp.sendText@1 with key r1:thanks:2 and text Thank you for “Yes”
	// finish: succeeded
}
