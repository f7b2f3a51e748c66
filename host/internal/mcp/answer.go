package mcp

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/tapnode/tapnode/host/internal/qrcode"
	"github.com/tapnode/tapnode/internal/jsonstrict"
	"github.com/tapnode/tapnode/sdk"
)

// limits are the limits for the arguments of a seed's tool; the endpoint has stricter ones.
var limits = jsonstrict.Limits{Depth: 64, Values: 100_000, NoNUL: true}

// seed makes the request that a seed's tool stands for.
func (c *call) seed(t seedTool) *mcpsdk.CallToolResult {
	if err := jsonstrict.Check(c.arguments, limits); err != nil {
		return refused("invalid_arguments", err.Error(), err.Pointer)
	}
	var arguments map[string]json.RawMessage
	if json.Unmarshal(c.arguments, &arguments) != nil {
		return refused("invalid_arguments", "the arguments are not an object", "")
	}
	path, rest, named := strings.Cut(t.path, "{instance}")
	if named {
		instance, ok := take(arguments, "instance")
		if !ok {
			return refused("invalid_arguments", "the instance is not a text", "/instance")
		}
		path += url.PathEscape(instance) + rest
	}
	if t.operation != "" {
		key, ok := take(arguments, keyName)
		if !ok {
			return refused("invalid_arguments", "the idempotency key is not a text", "/"+keyName)
		}
		if key != "" {
			c.key = key
		}
	}
	var body []byte
	if t.method == http.MethodPost {
		body, _ = json.Marshal(arguments) // values read from JSON always marshal
	} else {
		query := url.Values{}
		for name, raw := range arguments {
			var value string
			if json.Unmarshal(raw, &value) != nil {
				value = string(raw) // a number
			}
			query.Set(name, value)
		}
		path += "?" + query.Encode()
	}
	a := c.ask(t.method, path, body, nil)
	if a.status >= http.StatusMultipleChoices {
		return failed(a, a.body.Bytes())
	}
	return a.shown(t)
}

// take removes a text argument and returns it. null counts as absent, since some assistants write it.
func take(arguments map[string]json.RawMessage, name string) (value string, ok bool) {
	raw, given := arguments[name]
	delete(arguments, name)
	if !given {
		return "", true
	}
	return value, json.Unmarshal(raw, &value) == nil
}

// shown converts the answer of an endpoint to what clients of the tool read. A QR code becomes an image and
// text instead of a member of the JSON.
func (a *answer) shown(t seedTool) *mcpsdk.CallToolResult {
	raw := bytes.TrimSpace(a.body.Bytes())
	var members map[string]json.RawMessage
	var said struct {
		Warnings []sdk.Warning `json:"warnings"`
		QR       string        `json:"qrCode"`
		Picture  string        `json:"qrCodeBase64"`
	}
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &said) != nil {
		return failed(a, raw)
	}
	var inner map[string]json.RawMessage
	if t.shown != "" && json.Unmarshal(members[t.shown], &inner) == nil {
		for name, value := range inner {
			if _, taken := members[name]; !taken {
				members[name] = value
			}
		}
	}
	var code []mcpsdk.Content
	if png, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(said.Picture, "data:image/png;base64,")); err == nil && len(png) > 0 {
		code = []mcpsdk.Content{&mcpsdk.ImageContent{Data: png, MIMEType: "image/png"}, &mcpsdk.TextContent{Text: strings.Join(qrcode.Lines(said.QR), "\n")}}
		delete(members, "qrCodeBase64")
		delete(members, "data") // a copy of the other members
	}
	whole, err := json.Marshal(members)
	if err != nil {
		return failed(a, raw)
	}
	if members["messageId"] != nil { // the answer to a send stays as it is, byte for byte
		whole = raw
	}
	out := succeeded(whole, said.Warnings)
	out.Content = append(out.Content, code...)
	if a.header.Get("Idempotent-Replayed") == "true" {
		out.Meta = mcpsdk.Meta{"replayed": true}
	}
	return out
}
