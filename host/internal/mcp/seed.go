package mcp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/sdk"
)

// seedTool is a tool that clients of the seed's product call: an endpoint of the seed's API, with the
// members of the body or the query and the instance as arguments. Names that no known client uses follow
// the pattern of those in use. events_read is ours: without it an assistant would not learn of taps.
type seedTool struct {
	name, title, about string
	method, path       string
	right              v1.Right
	all                bool
	schema             string // of the arguments
	operation          string // whose schema the tool has instead
	// shown is the member of the answer whose own members clients read at the top level.
	shown string
}

const (
	aboutInstance = `"instance":{"type":"string","description":"Name of the instance."}`
	oneInstance   = `{"type":"object","properties":{` + aboutInstance + `},"required":["instance"]}`
)

var seedTable = []seedTool{
	{
		name: "send_buttons", title: "Send buttons", about: "Sends a WhatsApp message with one to three buttons. The answer's messageId is what clicks refer to.",
		method: "POST", path: "/api/message/button/{instance}", right: v1.Send, operation: "whatsapp.sendButtons@1",
	}, {
		name: "send_text", title: "Send text", about: "Sends a WhatsApp text message.",
		method: "POST", path: "/api/message/text/{instance}", right: v1.Send, operation: "whatsapp.sendText@1",
	}, {
		name: "message_get", title: "Look a message up", about: "Says how far a message that was sent has come: sent, delivered, read or failed.",
		method: "GET", path: "/api/chat/getMessage/{instance}", right: v1.Read,
		schema: `{"type":"object","properties":{` + aboutInstance + `,"messageId":{"type":"string","description":"As the answer to a send has it."}},"required":["instance","messageId"]}`,
	}, {
		name: "instance_list", title: "List instances", about: "The WhatsApp instances and whether they are connected.",
		method: "GET", path: "/api/instance/list", right: v1.Read,
		schema: `{"type":"object","properties":{"instanceName":{"type":"string","description":"Only this one."}}}`,
	}, {
		name: "instance_new", title: "Make an instance", about: "Makes an instance; instance_connect then pairs it with a phone.",
		method: "POST", path: "/api/instance/new", right: v1.Manage, all: true,
		schema: `{"type":"object","properties":{"name":{"type":"string","description":"1 to 100 letters, digits, _ and -."}},"required":["name"]}`,
	}, {
		name: "instance_connect", title: "Connect an instance", about: "Connects an instance. One that is not paired answers with a QR code, as a picture and as text, or with a pairing code when number is given: " +
			"show it to the person whose phone it is, who scans or types it under Linked devices. It is good for some seconds; call again for the next, and to see whether it is connected.",
		method: "GET", path: "/api/instance/connect/{instance}", right: v1.Manage,
		schema: `{"type":"object","properties":{` + aboutInstance + `,"number":{"type":"string","description":"The account's own number, digits with country code, for a pairing code in the place of a QR code."}},"required":["instance"]}`,
	}, {
		name: "instance_reconnect", title: "Reconnect an instance", about: "Connects an instance that is paired.",
		method: "POST", path: "/api/instance/reconnect/{instance}", right: v1.Manage, schema: oneInstance,
	}, {
		name: "instance_logout", title: "Log an instance out", about: "Removes the linked device from the account; to send again it has to be paired again.",
		method: "DELETE", path: "/api/instance/logout/{instance}", right: v1.Manage, schema: oneInstance,
	}, {
		name: "instance_delete", title: "Delete an instance", about: "Logs an instance out and forgets it, with its token and webhooks.",
		method: "DELETE", path: "/api/instance/delete/{instance}", right: v1.Manage, all: true, schema: oneInstance,
	}, {
		name: "events_read", title: "Read events", about: "What happened since, such as taps on buttons and answers of customers: the oldest that is kept first. Give back next as after to go on: at once while more is true, also when a page is empty, and otherwise later.",
		method: "GET", path: "/v1/events", right: v1.Read,
		schema: `{"type":"object","properties":{"type":{"type":"string","description":"Only these, with commas between.","examples":["whatsapp.button.clicked.v1","whatsapp.message.received.v1"]},
			"instance":{"type":"string","description":"Only of these, with commas between."},"after":{"type":"string"},"limit":{"type":"integer","minimum":1,"maximum":500,"default":100},
			"reveal":{"type":"boolean","description":"Show numbers and texts, which are masked otherwise. The token must allow it."}}}`,
	}, {
		name: "webhook_set", title: "Set a webhook", about: "Says where the events of an instance go, such as taps on buttons. What is left out stays as it is.",
		method: "POST", path: "/api/events/webhook/{instance}", right: v1.Manage, shown: "webhook",
		schema: `{"type":"object","properties":{` + aboutInstance + `,"label":{"type":"string","default":"default"},"enabled":{"type":"boolean"},"url":{"type":"string"},
			"authorization":{"type":"string","description":"Sent as the header Authorization."},"byEvents":{"type":"boolean","description":"Append the name of the event to the URL."},
			"events":{"type":"array","items":{"type":"string","examples":["message.exchange","message.status","instance.state"]},"description":"None: all."},"mediaBase64":{"type":"boolean"}},"required":["instance"]}`,
	}, {
		name: "webhook_get", title: "Read a webhook", about: "A webhook as it was set, or all of an instance when label is left out.",
		method: "GET", path: "/api/events/getWebhook/{instance}", right: v1.Manage, shown: "webhook",
		schema: `{"type":"object","properties":{` + aboutInstance + `,"label":{"type":"string"}},"required":["instance"]}`,
	},
}

// seedTools returns the tools in seedTable, except those with an operation that no node offers.
func seedTools(operations []sdk.OperationManifest) ([]tool, error) {
	var out []tool
	for _, t := range seedTable {
		schema := json.RawMessage(t.schema)
		if t.operation != "" {
			i := slices.IndexFunc(operations, func(op sdk.OperationManifest) bool { return op.ID == t.operation })
			if i < 0 {
				continue
			}
			var err error
			if schema, err = sendSchema(operations[i]); err != nil {
				return nil, fmt.Errorf("the schema of %s: %w", t.operation, err)
			}
		}
		destructive := t.method == http.MethodDelete
		out = append(out, tool{needs: []v1.Right{t.right}, all: t.all, call: func(c *call) *mcpsdk.CallToolResult { return c.seed(t) }, about: &mcpsdk.Tool{
			Name: t.name, Title: t.title, Description: t.about + "\nAs " + t.method + " " + t.path + " does.", InputSchema: schema,
			Annotations: &mcpsdk.ToolAnnotations{Title: t.title, ReadOnlyHint: t.right == v1.Read, IdempotentHint: t.right == v1.Read, DestructiveHint: &destructive},
		}})
	}
	return out, nil
}

// sendSchema returns the schema of a send as the seed's clients make it: contentText is called message, and
// the idempotency key may be an argument, since assistants cannot set it anywhere else.
func sendSchema(op sdk.OperationManifest) (json.RawMessage, error) {
	var schema map[string]json.RawMessage
	var properties map[string]json.RawMessage
	var required []string
	if err := json.Unmarshal(op.Input, &schema); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(schema["properties"], &properties); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(schema["required"], &required); err != nil {
		return nil, err
	}
	properties[keyName] = json.RawMessage(`{"type":"string","maxLength":200,"description":"A repeat with the same key and the same arguments sends nothing new, and answers as the first did."}`)
	if strings.Contains(op.ID, "sendText") {
		properties["message"] = properties["contentText"]
		delete(properties, "contentText")
		required[slices.Index(required, "contentText")] = "message"
	}
	for name, value := range map[string]any{"properties": properties, "required": required} {
		raw, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		schema[name] = raw
	}
	for _, name := range []string{"$id", "examples"} { // these apply to the operation only
		delete(schema, name)
	}
	return json.Marshal(schema)
}
