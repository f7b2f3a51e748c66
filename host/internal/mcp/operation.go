package mcp

import (
	"encoding/json"
	"strings"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/host/internal/qrcode"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// nameOf returns the name of an operation's tool: whatsapp_sendText_v1 for whatsapp.sendText@1, since many
// clients accept only letters, digits and _. Ids have no _, so no two tools have the same name.
func nameOf(operation string) string {
	return strings.NewReplacer(".", "_", "@", "_v").Replace(operation)
}

// operation returns the tool of an operation. Triggers have none, since they cannot be called.
func operation(op sdk.OperationManifest) (tool, bool) {
	if op.Kind == sdk.KindTrigger {
		return tool{}, false
	}
	t := tool{needs: []v1.Right{v1.Send}, about: &mcpsdk.Tool{
		Name: nameOf(op.ID), Title: op.Title, Description: strings.TrimSpace(op.Summary + "\nThe operation " + op.ID + "."),
		InputSchema: inputSchema(op.Input), OutputSchema: outputSchema(op.Output),
		Annotations: &mcpsdk.ToolAnnotations{Title: op.Title, ReadOnlyHint: op.Replay == sdk.Pure, IdempotentHint: op.Replay == sdk.Pure},
	}}
	if op.Kind == sdk.KindOperation {
		t.needs, t.all = append(t.needs, v1.Manage), true
	}
	if op.Replay == sdk.Keyed {
		t.about.Description += " It happens once under an " + keyName + " in _meta, however often it is repeated."
	}
	t.call = func(c *call) *mcpsdk.CallToolResult { return c.execute(op.ID) }
	return t, true
}

// inputSchema returns an operation's schema unchanged if its type is object, as that of arguments must be,
// and otherwise sets that type.
func inputSchema(doc sdk.JSON) json.RawMessage {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(doc, &members) == nil && string(members["type"]) == `"object"` {
		return json.RawMessage(doc)
	}
	if members == nil { // it was null
		members = map[string]json.RawMessage{}
	}
	members["type"] = json.RawMessage(`"object"`)
	made, err := json.Marshal(members)
	if err != nil {
		return json.RawMessage(`{"type":"object"}`) // unreachable: values read from JSON always marshal
	}
	return made
}

// outputSchema returns a schema without $id and $schema: JavaScript clients register every schema of a list
// in one place, and know only an old dialect by name.
func outputSchema(doc sdk.JSON) any {
	var members map[string]json.RawMessage
	if json.Unmarshal(doc, &members) != nil || string(members["type"]) != `"object"` {
		return nil
	}
	delete(members, "$id")
	delete(members, "$schema")
	return members
}

// execute calls an operation and reports its progress.
func (c *call) execute(id string) *mcpsdk.CallToolResult {
	var result *mcpsdk.CallToolResult
	var problem []byte
	body := append(append([]byte(`{"input":`), c.arguments...), '}')
	a := c.ask("POST", "/v1/operations/"+id+"/execute", body, func(event string, data []byte) {
		switch event {
		case "progress":
			c.step(data)
		case "problem":
			problem = data
		case "result":
			result = resultOf(data)
		}
	})
	switch {
	case result != nil:
		return result
	case problem != nil:
		return failed(a, problem)
	}
	return failed(a, a.body.Bytes())
}

func resultOf(data []byte) *mcpsdk.CallToolResult {
	var r struct {
		Output   json.RawMessage `json:"output"`
		Warnings []sdk.Warning   `json:"warnings"`
		Replayed bool            `json:"replayed"`
	}
	if json.Unmarshal(data, &r) != nil {
		return nil
	}
	out := succeeded(r.Output, r.Warnings)
	if r.Replayed {
		out.Meta = mcpsdk.Meta{"replayed": true}
	}
	return out
}

// step reports a step of a call. A QR code in it is drawn as text and attached as a picture.
func (c *call) step(data []byte) {
	var p client.Progress
	var shown struct {
		QR   string `json:"qr"`
		Code string `json:"code"`
	}
	if json.Unmarshal(data, &p) != nil {
		return
	}
	message := strings.TrimSuffix(p.Stage+": "+p.Message, ": ")
	if len(p.Data) > 0 && json.Unmarshal(p.Data, &shown) == nil {
		message += lines(shown.Code) + lines(shown.QR) + lines(qrcode.Lines(shown.QR)...)
	}
	c.progress(message, picture(shown.QR))
}

func lines(texts ...string) string {
	if len(texts) == 0 || texts[0] == "" {
		return ""
	}
	return "\n" + strings.Join(texts, "\n")
}

// picture returns a text as a QR code, or nil if there is none.
func picture(text string) *mcpsdk.ImageContent {
	png := qrcode.PNG(text)
	if png == nil {
		return nil
	}
	return &mcpsdk.ImageContent{Data: png, MIMEType: "image/png"}
}
