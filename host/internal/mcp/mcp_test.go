package mcp

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/host/internal/api/v1"
	"github.com/tapnode/tapnode/sdk"
)

// send makes a request of a server whose operations are these.
func send(t *testing.T, api http.HandlerFunc, message string, operations ...sdk.OperationManifest) string {
	t.Helper()
	s, err := New(Options{
		API: api, CallerOf: func(context.Context) v1.Caller { return v1.Caller{} }, Operations: operations, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/mcp", strings.NewReader(message))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Body.String()
}

// TestStrangeOperations: what a node says of an operation keeps nobody else's from being tools.
func TestStrangeOperations(t *testing.T) {
	list := send(t, nil, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
		sdk.OperationManifest{ID: "a.none@1"},
		sdk.OperationManifest{ID: "a.null@1", Input: sdk.JSON(`null`)},
		sdk.OperationManifest{ID: "a.any@1", Input: sdk.JSON(`true`)},
		sdk.OperationManifest{ID: "a.untyped@1", Input: sdk.JSON(`{"required":["x"]}`)},
		sdk.OperationManifest{ID: "a.list@1", Input: sdk.JSON(`{"type":"object"}`), Output: sdk.JSON(`{"type":"array"}`)},
		sdk.OperationManifest{ID: "a.header@1", Input: sdk.JSON(`{"type":"object","properties":{"x":{"type":"object","x-mcp-header":"not a header"}}}`)},
		sdk.OperationManifest{ID: "a.waits@1", Kind: sdk.KindTrigger, Input: sdk.JSON(`{"type":"object"}`)},
	)
	for name, want := range map[string]bool{
		`"a_none_v1"`: true, `"a_null_v1"`: true, `"a_any_v1"`: true, `"a_untyped_v1"`: true, `"a_list_v1"`: true, `{"required":["x"],"type":"object"}`: true,
		`"a_header_v1"`: false, `"a_waits_v1"`: false, `"array"`: false,
	} {
		if strings.Contains(list, name) != want {
			t.Errorf("%s: want %v in %s", name, want, list)
		}
	}
}

// TestRequests: what a tool asks of the API, and what becomes of an answer that is none.
func TestRequests(t *testing.T) {
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a_b_v1","arguments":{"n":1.50},"_meta":{"idempotencyKey":"k"}}}`
	op := sdk.OperationManifest{ID: "a.b@1"}
	var asked *http.Request
	var body string
	answer := func(status int, kind, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			raw, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			asked, body = r, string(raw)
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for name, c := range map[string]struct {
		api  http.HandlerFunc
		says []string
	}{
		"result":         {answer(200, "text/event-stream", ": alive\n\nevent: progress\ndata: {}\n\nevent: result\ndata: {\"output\":{\"x\":1},\"warnings\":[{\"pointer\":\"/n\",\"message\":\"odd\"}]}\n\n"), []string{`"structuredContent":{"x":1}`, `Warning: /n: odd`}},
		"problem":        {answer(409, "application/problem+json", `{"code":"busy","detail":"It is busy","errors":[{"pointer":"/input/n","code":"c","message":"m","suggestion":"s"}]}`), []string{`"isError":true`, `"pointer":"/n"`, `/n: m (s)`, "Nothing has happened."}},
		"cut stream":     {answer(200, "text/event-stream", "event: progress\ndata: {}\n\n"), []string{`"isError":true`, `"code":"internal"`, "unknown"}},
		"other document": {answer(502, "text/html", "<html>"), []string{`"isError":true`, "502", "unknown"}},
		"panic":          {func(http.ResponseWriter, *http.Request) { panic("of a handler") }, []string{`"isError":true`, "500"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := send(t, c.api, call, op)
			for _, want := range c.says {
				if !strings.Contains(got, want) {
					t.Errorf("want %s in %s", want, got)
				}
			}
		})
	}
	if asked.URL.Path != "/v1/operations/a.b@1/execute" || body != `{"input":{"n":1.50}}` || asked.Header.Get("Idempotency-Key") != "k" || asked.Header.Get("Accept") != "text/event-stream" {
		t.Errorf("asked %s %s %v", asked.URL, body, asked.Header)
	}
}

// TestNames: every tool of the seed has a schema that is JSON, and no two tools one name.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, tool := range seedTable {
		if seen[tool.name] || tool.operation == "" && !json.Valid([]byte(tool.schema)) {
			t.Errorf("%s", tool.name)
		}
		seen[tool.name] = true
	}
	if nameOf("whatsapp.instance.list@12") != "whatsapp_instance_list_v12" {
		t.Error(nameOf("whatsapp.instance.list@12"))
	}
}
