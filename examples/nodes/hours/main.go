// Command hours is a node of a third party: it tells a flow whether a shop is open.
// docs/nodes.md builds it step by step.
package main

import (
	_ "time/tzdata" // the time zones, on machines without them, too

	"github.com/tapnode/tapnode/sdk"
)

func main() { sdk.Main(newNode()) }

func newNode() *sdk.Node {
	n := &node{}
	return &sdk.Node{
		Name: "hours", Version: "1.0.0", Title: "Opening hours",
		Settings: []byte(`{"type": "object", "additionalProperties": false, "properties": {
			"zone": {"title": "Time zone", "type": "string", "maxLength": 64, "default": "UTC", "examples": ["America/Sao_Paulo"]}}}`),
		Configure: n.configure,
		Operations: []sdk.Offer{
			sdk.Action[input, output]{
				ID: "hours.check@1", Title: "Is it open?", Icon: "clock",
				Summary: "Says whether a shop is open, and until when that stays so.",
				Input:   []byte(inputSchema), Output: []byte(outputSchema), Replay: sdk.Pure,
				Run: n.check,
			},
		},
	}
}

const inputSchema = `{
	"type": "object", "additionalProperties": false, "required": ["week"],
	"properties": {
		"week": {
			"title": "Opening hours", "description": "By day of the week. An end that is not after its start is on the next day.",
			"type": "object", "additionalProperties": false,
			"patternProperties": {"^(mon|tue|wed|thu|fri|sat|sun)$": {
				"type": "array", "maxItems": 10, "items": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"}}},
			"examples": [{"mon": ["09:00-12:00", "13:00-18:00"], "sat": ["20:00-02:00"]}]
		},
		"zone": {"title": "Time zone", "description": "Empty: the one in the settings.", "type": "string", "maxLength": 64},
		"at": {"title": "At", "description": "Empty: now.", "type": "string", "format": "date-time"}
	}
}`

const outputSchema = `{
	"type": "object", "required": ["open", "until"],
	"properties": {
		"open": {"type": "boolean"},
		"until": {"description": "When that changes; null if it never does.", "type": ["string", "null"], "format": "date-time"}
	}
}`

type input struct {
	Week map[string][]string `json:"week"`
	Zone string              `json:"zone"`
	At   string              `json:"at"`
}

type output struct {
	Open  bool    `json:"open"`
	Until *string `json:"until"`
}
