package engine_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
)

// BenchmarkClick is a run of the click workload: an event of 600 bytes, a switch
// of three, an answer by expression. It is about the engine alone, on a Memory.
func BenchmarkClick(b *testing.B) {
	var builtins []engine.Builtin
	var ops []flow.Operation
	for _, n := range nodes.All(nodes.Options{Log: slog.New(slog.DiscardHandler)}) {
		builtins = append(builtins, n)
		ops = append(ops, n.Operation())
	}
	cat, err := flow.NewCatalogue(ops...)
	if err != nil {
		b.Fatal(err)
	}
	p, _, err := flow.Load([]byte(`
apiVersion: flow/v1
kind: Flow
metadata: {id: click}
vars: {type: object, properties: {answer: {type: object, default: {}}}}
triggers: [{id: start, type: manual, to: which}]
nodes:
  - id: which
    type: switch@1
    with:
      cases:
        - {id: sales, when: "${ event.button.id == 'sales' }"}
        - {id: support, when: "${ event.button.id == 'support' }"}
        - {id: billing, when: "${ event.button.id == 'billing' }"}
  - {id: sales, type: set@1, with: {values: {answer: {ok: true, branch: sales, reply: "Sales: ${ event.from.name } (${ event.from.id }), order ${ event.vars.orderId }, tapped ${ event.button.id }"}}}}
  - {id: support, type: set@1, with: {values: {answer: {ok: true, branch: support, reply: "Support: ${ event.from.name } (${ event.from.id }), order ${ event.vars.orderId }, tapped ${ event.button.id }"}}}}
  - {id: billing, type: set@1, with: {values: {answer: {ok: true, branch: billing, reply: "Billing: ${ event.from.name } (${ event.from.id }), order ${ event.vars.orderId }, tapped ${ event.button.id }"}}}}
edges:
  - {from: "which.case:sales", to: sales}
  - {from: "which.case:support", to: support}
  - {from: "which.case:billing", to: billing}
`), cat)
	if err != nil {
		b.Fatal(err)
	}
	e, err := engine.New(engine.Options{Log: engine.NewMemory(1000), Executor: &phone{}, Builtins: builtins})
	if err != nil {
		b.Fatal(err)
	}
	if err := e.Deploy(context.Background(), p); err != nil {
		b.Fatal(err)
	}
	event := []byte(`{"event":"button.tapped","id":"evt_01","at":"2026-11-22T08:30:00.123Z","instance":{"id":"inst_7f3a","name":"loja-centro"},
"chat":{"id":"5511988887777@s.whatsapp.net","kind":"direct"},"from":{"id":"5511988887777","name":"Maria Souza"},
"message":{"id":"3EB0C767D097B7A3F1B2","replyTo":"3EB0A1F5C2D94E6B7780","preview":"Thanks for your message, Maria. Please pick one of the options below."},
"button":{"id":"billing","title":"Billing"},"vars":{"orderId":"A-10293","locale":"pt-BR"}}`)
	b.ReportAllocs()
	for b.Loop() {
		data, err := flow.DecodeJSON(event)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Run(context.Background(), engine.Request{Flow: "click", Data: data}); err != nil {
			b.Fatal(err)
		}
	}
}
