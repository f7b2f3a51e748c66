package flow

import (
	"embed"
	"fmt"

	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// OperationFlow is the call that the engine itself executes: it runs another flow under the
// idempotency key of the call, and returns the id, the variables and the outputs of that run.
const OperationFlow = "flow@1"

// operationDelay is not a call: a run that reaches it waits, and its state says until when.
const operationDelay = "delay@1"

// Hosted returns the steps and triggers that every catalogue has because the host itself executes
// them, rather than a built-in node or a node binary. The triggers of type manual, http and flow
// are among them, although they have neither a filter nor an event type.
func Hosted() []Operation {
	action := func(m sdk.OperationManifest) Operation {
		m.Kind, m.Ports = sdk.KindAction, []sdk.Port{{ID: PortOut, Label: "Next"}}
		return Operation{OperationManifest: m}
	}
	trigger := func(id, title string) Operation {
		return Operation{OperationManifest: sdk.OperationManifest{ID: id, Kind: sdk.KindTrigger, Title: title}}
	}
	webhook, schedule := trigger(TriggerWebhook, "Webhook"), trigger(TriggerSchedule, "Schedule")
	webhook.Summary, webhook.Input = "Starts on every call of an address of the host.", schemas.Read(schemas.WebhookFilter)
	webhook.Events = []sdk.EventType{{Type: "webhook.received.v1", Title: "Webhook received", Schema: schemas.Read(schemas.WebhookReceived)}}
	schedule.Summary, schedule.Input = "Starts at certain times.", schemas.Read(schemas.ScheduleFilter)
	schedule.Events = []sdk.EventType{{Type: "schedule.due.v1", Title: "Schedule due", Schema: schemas.Read(schemas.ScheduleDue)}}
	return []Operation{
		action(sdk.OperationManifest{ID: operationDelay, Title: "Delay", Summary: "Goes on after a while, or at a time.", Icon: "clock",
			Input: schemaFile("delay.input"), Output: schemaFile("delay.output"), Replay: sdk.Pure}),
		action(sdk.OperationManifest{ID: OperationFlow, Title: "Flow", Summary: "Runs another flow and goes on when it is over.", Icon: "workflow",
			Input: schemaFile("flow.input"), Output: schemaFile("flow.output"), Replay: sdk.Keyed}),
		trigger(TriggerManual, "By hand"), trigger(TriggerHTTP, "By a request"), trigger(TriggerFlow, "By another flow"),
		webhook, schedule,
	}
}

//go:embed schema/*.json
var schemaFiles embed.FS

// schemaFile returns an embedded file; the names are constants of this package.
func schemaFile(name string) []byte {
	b, err := schemaFiles.ReadFile("schema/" + name + ".json")
	if err != nil {
		panic(fmt.Sprintf("flow: no schema %q in this build", name))
	}
	return b
}
