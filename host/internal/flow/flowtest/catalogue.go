// Package flowtest gives tests the WhatsApp operations as a node binary describes them, built from
// the product's own schemas, so that flows can be checked and run without the binary. It also runs
// golden-file tests.
package flowtest

import (
	"testing"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/schemas"
	"github.com/tapnode/tapnode/sdk"
)

// Operations returns the operations of the node binary that a flow can use.
func Operations() []flow.Operation {
	clicked := sdk.EventType{Type: "whatsapp.button.clicked.v1", Title: "Button clicked",
		Schema: schemas.Read(schemas.ButtonClicked), Port: "reply:{/button/id}"}
	received := sdk.EventType{Type: "whatsapp.message.received.v1", Title: "Message received",
		Schema: schemas.Read(schemas.MessageReceived), Port: "text"}
	return []flow.Operation{
		{OperationManifest: sdk.OperationManifest{
			ID: "whatsapp.sendButtons@1", Kind: sdk.KindAction, Title: "Send buttons", Replay: sdk.Keyed,
			Input: schemas.Read(schemas.SendButtonsInput), Output: schemas.Read(schemas.SendButtonsOutput),
			Ports:     []sdk.Port{{ID: "sent", Label: "Sent"}, {ID: "text", Label: "Text instead"}, {ID: "error", Label: "Failed"}},
			PortRules: []sdk.PortRule{{Each: "/buttons", Where: map[string]string{"type": "REPLY"}, ID: "reply:{id}", Label: "{displayText}"}},
			Events:    []sdk.EventType{clicked, received},
		}},
		{OperationManifest: sdk.OperationManifest{
			ID: "whatsapp.sendText@1", Kind: sdk.KindAction, Title: "Send text", Replay: sdk.Keyed,
			Input: schemas.Read(schemas.SendTextInput), Output: schemas.Read(schemas.SendTextOutput),
			Ports: []sdk.Port{{ID: "out", Label: "Sent"}, {ID: "error", Label: "Failed"}},
		}},
		{OperationManifest: sdk.OperationManifest{
			ID: "whatsapp.buttonClick@1", Kind: sdk.KindTrigger, Title: "Button clicked",
			Input: schemas.Read(schemas.ButtonClickFilter), Events: []sdk.EventType{clicked},
		}},
		{OperationManifest: sdk.OperationManifest{
			ID: "whatsapp.messageReceived@1", Kind: sdk.KindTrigger, Title: "Message received",
			Input: schemas.Read(schemas.MessageReceivedFilter), Events: []sdk.EventType{received},
		}},
	}
}

// Catalogue returns a catalogue of Operations and the built-in nodes.
func Catalogue(t testing.TB) *flow.Catalogue {
	t.Helper()
	ops := Operations()
	for _, n := range nodes.All(nodes.Options{}) {
		ops = append(ops, n.Operation())
	}
	c, err := flow.NewCatalogue(ops...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
