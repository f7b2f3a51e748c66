package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/tapnode/tapnode/sdk"
)

// succeeded makes the result of a call: the JSON unchanged, structured and as text, and the warnings.
func succeeded(output json.RawMessage, warnings []sdk.Warning) *mcpsdk.CallToolResult {
	out := &mcpsdk.CallToolResult{Content: []mcpsdk.Content{&mcpsdk.TextContent{Text: string(output)}}}
	if bytes.HasPrefix(output, []byte("{")) {
		out.StructuredContent = output
	}
	for _, w := range warnings {
		out.Content = append(out.Content, &mcpsdk.TextContent{Text: "Warning: " + placed(w.Pointer, w.Message, "")})
	}
	return out
}

// refusal is a failure as the host's API reports it, in either of its forms.
type refusal struct {
	Code   string     `json:"code"`
	Detail string     `json:"detail"`
	Effect sdk.Effect `json:"effect,omitempty"`
	Errors []mistake  `json:"errors,omitempty"`
	// RetryAfter is in seconds.
	RetryAfter int `json:"retryAfter,omitempty"`
}

// mistake is one thing wrong with the arguments.
type mistake struct {
	Pointer    string `json:"pointer"` // into the arguments
	Code       string `json:"code"`
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
}

// refused makes a refusal of this package.
func refused(code, detail, pointer string) *mcpsdk.CallToolResult {
	r := refusal{Code: code, Detail: detail, Effect: sdk.EffectNone}
	if pointer != "" {
		r.Errors = []mistake{{Pointer: pointer, Code: code, Message: detail}}
	}
	return r.result()
}

// failed reads a failure: an RFC 9457 problem, or the seed's envelope.
func failed(a *answer, body []byte) *mcpsdk.CallToolResult {
	var said struct {
		refusal
		Error struct {
			Code       string    `json:"code"`
			Message    string    `json:"message"`
			Violations []mistake `json:"violations"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Detail == "" && said.Error.Message == "" {
		said.refusal = refusal{Code: "internal", Detail: fmt.Sprintf("It failed with HTTP status %d, %s", a.status, http.StatusText(a.status)), Effect: sdk.EffectUnknown}
	}
	if said.Error.Message != "" {
		said.refusal = refusal{Code: said.Error.Code, Detail: said.Error.Message, Errors: said.Error.Violations}
	}
	if said.Effect == "" && a.status/100 == 4 {
		said.Effect = sdk.EffectNone
	}
	said.RetryAfter = a.wait()
	for i, e := range said.Errors {
		said.Errors[i].Pointer = strings.TrimPrefix(e.Pointer, "/input")
	}
	return said.result()
}

// result first says what is wrong in a text of its own, since some clients show only that, and then where
// and what to do. Programs find all of it in _meta, not in the structured content, because some clients
// check that against the output schema even for a failure.
func (r refusal) result() *mcpsdk.CallToolResult {
	out := &mcpsdk.CallToolResult{IsError: true, Meta: mcpsdk.Meta{"problem": r}}
	lines := []string{"Code: " + r.Code}
	for _, e := range r.Errors {
		lines = append(lines, placed(e.Pointer, e.Message, e.Suggestion))
	}
	switch r.Effect {
	case sdk.EffectNone:
		lines = append(lines, "Nothing has happened.")
	case sdk.EffectUnknown:
		lines = append(lines, "Whether it happened is unknown: to be sure that it happens once, repeat it with the same "+keyName+".")
	case sdk.EffectDone:
		lines = append(lines, "It has happened all the same: do not repeat it.")
	}
	if r.RetryAfter > 0 {
		lines = append(lines, fmt.Sprintf("Try again in %d s.", r.RetryAfter))
	}
	out.Content = []mcpsdk.Content{&mcpsdk.TextContent{Text: r.Detail}, &mcpsdk.TextContent{Text: strings.Join(lines, "\n")}}
	return out
}

// placed returns a sentence about a place in the arguments.
func placed(pointer, message, suggestion string) string {
	if pointer != "" {
		message = pointer + ": " + message
	}
	if suggestion != "" {
		message += " (" + suggestion + ")"
	}
	return message
}
