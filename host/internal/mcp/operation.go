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

// nameOf is the name of an operation's tool: whatsapp.sendText@1 is whatsapp_sendText_v1, since many
// clients take letters, digits and _ only. Ids have no _, so no two have the same.
func nameOf(operation string) string {
	return strings.NewReplacer(".", "_", "@", "_v").Replace(operation)
}

// operation is the tool of an operation; triggers have none, since nobody calls them.
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

// inputSchema is an operation's as it is, if it says that it is an object's, as arguments are.
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
		return json.RawMessage(`{"type":"object"}`) // unreachable: it was read as JSON
	}
	return made
}

// outputSchema is a schema without a name of its own and its dialect's: JavaScript clients read every
// schema of a list into one register, and know no dialect by name but an old one.
func outputSchema(doc sdk.JSON) any {
	var members map[string]json.RawMessage
	if json.Unmarshal(doc, &members) != nil || string(members["type"]) != `"object"` {
		return nil
	}
	delete(members, "$id")
	delete(members, "$schema")
	return members
}

// execute calls an operation and tells how it goes.
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

// step tells of a step of a call. A QR code in it is drawn, and there as a picture.
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

// picture is a QR code; nil when there is none.
func picture(text string) *mcpsdk.ImageContent {
	png := qrcode.PNG(text)
	if png == nil {
		return nil
	}
	return &mcpsdk.ImageContent{Data: png, MIMEType: "image/png"}
}
