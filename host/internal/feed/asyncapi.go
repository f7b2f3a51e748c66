package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/schemas"
)

type object = map[string]any

// AsyncAPI describes every message that a host sends by itself, in both forms and over every
// channel, as an AsyncAPI 3 document. It is generated from the catalogue of events and their
// schemas.
func AsyncAPI() ([]byte, error) {
	kinds, err := events.Catalogue()
	if err != nil {
		return nil, err
	}
	forms := object{}
	for name, file := range map[string]string{"CloudEvent": schemas.AsCloudEvent, "SeedEvent": schemas.AsSeed} {
		if forms[name], err = embedded(name, schemas.Read(file)); err != nil {
			return nil, err
		}
	}
	messages := object{}
	ways := map[string]object{"events": {}, "instanceSocket": {}, "webhook": {}}
	for _, k := range kinds {
		if forms[k.Type], err = embedded(k.Type, k.Schema); err != nil {
			return nil, err
		}
		if err := describe(messages, k); err != nil {
			return nil, err
		}
		tested, streamed := k.Type == "webhook.test.v1", strings.HasPrefix(k.Type, "stream.")
		for way, told := range ways {
			for _, form := range []string{"", "seed."} {
				if way == "instanceSocket" && (form == "" || k.Type == events.TypeOpened) || way == "webhook" && streamed || way != "webhook" && tested {
					continue
				}
				told[form+k.Type] = ref("messages", form+k.Type)
			}
		}
	}
	doc := object{
		"asyncapi": "3.0.0",
		"info": object{"title": "Tapnode events", "version": "1",
			"description": "What a Tapnode host tells by itself: to readers of /v1/events, by WebSocket or as server-sent events, to sockets of the seed's clients, and to webhooks. Each message is one event. Inside version 1 of a type only members are added."},
		"defaultContentType": "application/json",
		"channels": object{
			"events": object{"address": "/v1/events", "messages": ways["events"],
				"description": "A WebSocket, or server-sent events with Accept: text/event-stream; there each message is an event named message whose id is the sequence. The first message is stream.opened.v1. A reader that names the sequence it has come to, as after or in Last-Event-ID, misses nothing; what was removed meanwhile is told as stream.gap.v1. Pings come every 15 seconds. A stream ends with close code 1012 and a reason with retry-after=SECONDS when the server stops, 1013 when the events cannot be read, 1008 when the token ends, the reader sends something or is too slow; server-sent events say the same as an event named end.",
				"bindings":    object{"ws": object{"bindingVersion": "0.1.0", "method": "GET", "query": query(), "headers": headers()}}},
			"instanceSocket": object{"address": "/ws/{instance}", "messages": ways["instanceSocket"], "parameters": object{"instance": object{"description": "The name of an instance."}},
				"description": "The socket of the seed's clients, in the seed's form. The token may also be in the query, as token."},
			"webhook": object{"address": nil, "messages": ways["webhook"],
				"description": "A POST to the address of a webhook, signed as Standard Webhooks says: the headers webhook-id, webhook-timestamp and webhook-signature."},
		},
		"operations": object{
			"tellReaders":   object{"action": "send", "channel": object{"$ref": "#/channels/events"}, "security": []any{ref("securitySchemes", "bearer"), ref("securitySchemes", "token")}},
			"tellInstance":  object{"action": "send", "channel": object{"$ref": "#/channels/instanceSocket"}, "security": []any{ref("securitySchemes", "bearer"), ref("securitySchemes", "token")}},
			"callReceivers": object{"action": "send", "channel": object{"$ref": "#/channels/webhook"}},
		},
		"components": object{
			"messages": messages, "schemas": forms,
			"securitySchemes": object{
				"bearer": object{"type": "http", "scheme": "bearer", "description": "A browser offers the subprotocols " + Subprotocol + " and bearer.{token} instead."},
				"token":  object{"type": "httpApiKey", "name": "token", "in": "header"},
			},
		},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err = enc.Encode(doc)
	return out.Bytes(), err
}

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

// embedded returns a schema as a part of the document, with its references changed to point into
// the document.
func embedded(name string, schema []byte) (object, error) {
	var out object
	text := strings.ReplaceAll(string(schema), `"#/`, `"#/components/schemas/`+name+`/`)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", name, err)
	}
	delete(out, "$id")
	delete(out, "$schema")
	return out, nil
}

// describe adds the messages of a type, in both forms, with the example of its schema.
func describe(messages object, k events.Catalogued) error {
	var schema struct {
		Description string            `json:"description"`
		Examples    []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(k.Schema, &schema); err != nil || len(schema.Examples) == 0 {
		return fmt.Errorf("schema of %s: it has no example (%w)", k.Type, err)
	}
	ev := events.Event{Position: 17, Outgoing: engine.Outgoing{ID: "9d1c", Type: k.Type, Time: time.Date(2026, 11, 22, 13, 5, 0, 0, time.UTC), Data: schema.Examples[0]}}
	switch kind, _, _ := strings.Cut(k.Type, "."); kind {
	case "flow":
		ev.Run = "rabc"
	case "whatsapp":
		ev.Instance = "shop"
	}
	for prefix, form := range map[string]struct {
		shape      Shape
		name, data string
		media      string
	}{"": {CloudEvents, "CloudEvent", "data", "application/cloudevents+json"}, "seed.": {Seed, "SeedEvent", "detail", "application/json"}} {
		it := &item{Event: ev}
		messages[prefix+k.Type] = object{
			"name": k.Type, "title": k.Title, "summary": schema.Description, "contentType": form.media,
			"payload":  object{"allOf": []any{ref("schemas", form.name), object{"type": "object", "properties": object{"type": object{"const": k.Type}, form.data: ref("schemas", k.Type)}}}},
			"examples": []any{object{"name": "example", "payload": json.RawMessage(it.as(Want{Shape: form.shape}).body)}},
		}
	}
	return nil
}

func query() object {
	text := func(doc string) object { return object{"type": "string", "description": doc} }
	shape := text("The form of the events.")
	shape["enum"], shape["default"] = []string{"cloudevents", "seed"}, "cloudevents"
	return object{"type": "object", "properties": object{
		"type": text("Only these types, with commas between."), "instance": text("Only events of these instances, with commas between."), "shape": shape,
		"after":  text("The sequence of the last event that the reader has; 0 is before the oldest that is kept."),
		"reveal": text("true shows numbers and texts, which are masked otherwise. The token must allow it."),
	}}
}

func headers() object {
	return object{"type": "object", "properties": object{"Last-Event-ID": object{"type": "string", "description": "As after, for server-sent events; it counts more."}}}
}
