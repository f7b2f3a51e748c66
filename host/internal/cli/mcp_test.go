package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	mcpsdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// bearer adds a token to each request of a client.
type bearer struct{ token string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

// tools connects a client of the protocol with a token. told is called with the progress of calls.
func (s *served) tools(t *testing.T, token string, told func(*mcpsdk.ProgressNotificationParams)) *mcpsdk.ClientSession {
	t.Helper()
	opt := &mcpsdk.ClientOptions{}
	if told != nil {
		opt.ProgressNotificationHandler = func(_ context.Context, r *mcpsdk.ProgressNotificationClientRequest) { told(r.Params) }
	}
	client := mcpsdk.NewClient(&mcpsdk.Implementation{Name: "test", Version: "1"}, opt)
	session, err := client.Connect(t.Context(), &mcpsdk.StreamableClientTransport{Endpoint: s.url + "/mcp", HTTPClient: &http.Client{Transport: bearer{token}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func names(t *testing.T, session *mcpsdk.ClientSession) (all []string) {
	t.Helper()
	for tool, err := range session.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tool.Name)
	}
	slices.Sort(all)
	return all
}

func (s *served) newToken(t *testing.T, body string) string {
	t.Helper()
	made := s.ask(t, s.token, "POST", "/v1/tokens", body)
	made.wants(t, 201, "token")
	secret, _ := made.at("token").(string)
	return secret
}

// use calls a tool and returns its result, or what went wrong.
func use(t *testing.T, session *mcpsdk.ClientSession, params *mcpsdk.CallToolParams) (*mcpsdk.CallToolResult, answered) {
	t.Helper()
	result, err := session.CallTool(t.Context(), params)
	if err != nil {
		t.Fatalf("%s: %v", params.Name, err)
	}
	a := answered{status: 200}
	said := result.StructuredContent
	if result.IsError {
		a.status, said = 400, result.Meta["problem"]
	}
	raw, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	a.raw = string(raw)
	if err := json.Unmarshal(raw, &a.body); err != nil {
		t.Fatalf("%s gave no object: %s", params.Name, raw)
	}
	return result, a
}

func text(t *testing.T, content mcpsdk.Content) string {
	t.Helper()
	c, ok := content.(*mcpsdk.TextContent)
	if !ok {
		t.Fatalf("%T is no text", content)
	}
	return c.Text
}

// TestTools: what an assistant can do with a host, by the protocol's own client.
func TestTools(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	token, _ := s.ask(t, s.token, "GET", "/api/instance/list?instanceName=demo", "").at("instances.0.token").(string)
	told := make(chan *mcpsdk.ProgressNotificationParams, 100)
	account := s.tools(t, s.token, func(p *mcpsdk.ProgressNotificationParams) { told <- p })

	t.Run("listed", func(t *testing.T) {
		schemas := map[string]any{}
		for tool, err := range account.Tools(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			schemas[tool.Name] = tool.InputSchema
		}
		for op, name := range map[string]string{"whatsapp.sendButtons@1": "whatsapp_sendButtons_v1", "whatsapp.instance.connect@1": "whatsapp_instance_connect_v1"} {
			got, err := json.Marshal(schemas[name])
			if err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(s.ask(t, s.token, "GET", "/v1/operations/"+op, "").at("inputSchema"))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) || len(got) < 100 {
				t.Errorf("the schema of %s is not the operation's: %s", name, got)
			}
		}
		if schemas["whatsapp_buttonClick_v1"] != nil {
			t.Error("a trigger is a tool")
		}
		for _, name := range []string{"send_text", "send_buttons", "message_get", "instance_list", "instance_new", "instance_connect", "instance_reconnect", "instance_logout", "instance_delete", "webhook_set", "webhook_get", "events_read"} {
			if schemas[name] == nil {
				t.Errorf("there is no %s", name)
			}
		}
	})

	for name, bound := range map[string]struct {
		scopes, instances string
		sees, lacks       []string
	}{
		"send":            {`["send"]`, `[]`, []string{"send_text", "whatsapp_sendButtons_v1"}, []string{"instance_list", "instance_new"}},
		"read":            {`["read"]`, `[]`, []string{"instance_list", "message_get"}, []string{"send_text", "webhook_get", "whatsapp_instance_list_v1"}},
		"manage":          {`["manage"]`, `[]`, []string{"instance_new", "webhook_get"}, []string{"send_text", "instance_list", "whatsapp_instance_connect_v1"}},
		"send for demo":   {`["send"]`, `["demo"]`, []string{"send_text"}, []string{"webhook_set"}},
		"manage for demo": {`["manage"]`, `["demo"]`, []string{"webhook_set"}, []string{"instance_new", "instance_delete", "whatsapp_instance_list_v1"}},
	} {
		t.Run(name, func(t *testing.T) {
			limited := s.tools(t, s.newToken(t, `{"scopes":`+bound.scopes+`,"instances":`+bound.instances+`}`), nil)
			listed := names(t, limited)
			for _, name := range bound.sees {
				if !slices.Contains(listed, name) {
					t.Errorf("%s is not listed", name)
				}
			}
			for _, name := range bound.lacks {
				if slices.Contains(listed, name) {
					t.Errorf("%s is listed", name)
				}
			}
			for _, name := range names(t, account) {
				if slices.Contains(listed, name) && (name == "instance_logout" || name == "instance_delete") {
					continue // it works, and would end this test
				}
				_, a := use(t, limited, &mcpsdk.CallToolParams{Name: name, Arguments: map[string]any{"instance": "demo", "name": "demo", "messageId": "x"}})
				if forbidden := a.at("code") == "forbidden"; forbidden == slices.Contains(listed, name) {
					t.Errorf("%s: listed %v, and forbidden %v: %s", name, !forbidden, forbidden, a.raw)
				}
			}
		})
	}

	t.Run("one instance's", func(t *testing.T) {
		own := s.tools(t, token, nil)
		_, a := use(t, own, &mcpsdk.CallToolParams{Name: "send_text", Arguments: map[string]any{"instance": "other", "number": "5511999990001", "message": "x"}})
		a.wants(t, 400, "code=forbidden", "detail~Instance token does not ma")
		_, a = use(t, own, &mcpsdk.CallToolParams{Name: "whatsapp_sendText_v1", Arguments: map[string]any{"instance": "other", "number": "5511999990001", "contentText": "x"}})
		a.wants(t, 400, "code=forbidden", "effect=NONE", "errors.0.pointer=/instance")
	})

	t.Run("once under a key", func(t *testing.T) {
		params := &mcpsdk.CallToolParams{
			Name: "whatsapp_sendButtons_v1", Meta: mcpsdk.Meta{"idempotencyKey": "k1"},
			Arguments: map[string]any{"instance": "demo", "number": "5511999990001", "contentText": "Once", "buttons": []any{map[string]any{"id": "a", "displayText": "A"}}},
		}
		first, a := use(t, account, params)
		a.wants(t, 200, "messageId", "content=Once")
		if text(t, first.Content[0]) == "" || first.Meta["replayed"] != nil {
			t.Errorf("the first: %+v", first)
		}
		second, b := use(t, account, params)
		if second.Meta["replayed"] != true || a.at("messageId") != b.at("messageId") {
			t.Errorf("the second: %s, first %s", b.raw, a.raw)
		}
		byArgument := &mcpsdk.CallToolParams{Name: "send_text", Arguments: map[string]any{"instance": "demo", "number": "5511999990001", "message": "Twice", "idempotencyKey": "k2"}}
		_, a = use(t, account, byArgument)
		a.wants(t, 200, "success=true", "messageId", "data.content=Twice", "!warnings")
		second, b = use(t, account, byArgument)
		if second.Meta["replayed"] != true || a.at("messageId") != b.at("messageId") {
			t.Errorf("by argument: %s, first %s", b.raw, a.raw)
		}
		deadline(t, func() bool {
			status, inbox := s.do(t, "GET", "/sim/v1/phones/5511999990001/inbox", "")
			if strings.Count(inbox, `"Once"`) > 1 || strings.Count(inbox, `"Twice"`) > 1 {
				t.Fatalf("a message is there more than once: %s", inbox)
			}
			return status == 200 && strings.Contains(inbox, `"Once"`) && strings.Contains(inbox, `"Twice"`)
		})
		params.Meta = mcpsdk.Meta{"idempotencyKey": 5}
		_, a = use(t, account, params)
		a.wants(t, 400, "code=invalid_arguments", "effect=NONE")
	})

	t.Run("hears of taps", func(t *testing.T) {
		_, a := use(t, account, &mcpsdk.CallToolParams{Name: "send_buttons", Arguments: map[string]any{"instance": "demo", "number": "5511999990001", "contentText": "Yes?", "buttons": []any{map[string]any{"id": "yes", "displayText": "Yes"}}}})
		id := a.at("messageId")
		s.ask(t, "", "POST", "/sim/v1/phones/5511999990001/click?wait=10s", `{"buttonId":"yes"}`)
		reader := s.tools(t, s.newToken(t, `{"scopes":["read"]}`), nil) // it has its own limit
		after := "0"
		deadline(t, func() bool {
			_, a = use(t, reader, &mcpsdk.CallToolParams{Name: "events_read", Arguments: map[string]any{"type": "whatsapp.button.clicked.v1", "instance": "demo", "after": after, "limit": 50}})
			after, _ = a.at("next").(string)
			return a.at("events.0") != nil
		})
		a.wants(t, 200, "events.0.data.button.id=yes", "next", "more")
		if a.at("events.0.data.menu.messageId") != id {
			t.Errorf("the tap is not on %v: %s", id, a.raw)
		}
		_, a = use(t, reader, &mcpsdk.CallToolParams{Name: "events_read", Arguments: map[string]any{"after": "yesterday"}})
		a.wants(t, 400, "code=invalid_request", "effect=NONE")
	})

	t.Run("mistakes", func(t *testing.T) {
		result, a := use(t, account, &mcpsdk.CallToolParams{Name: "whatsapp_sendButtons_v1", Arguments: map[string]any{
			"instance": "demo", "number": "5511999990001", "contentText": "x", "buttons": []any{map[string]any{"id": "a", "displayText": "A", "type": "SMS"}}, "colour": "red",
		}})
		a.wants(t, 400, "code", "detail", "effect=NONE", "errors.0.pointer", "errors.0.code", "errors.0.message")
		if said := text(t, result.Content[1]); !strings.Contains(said, "/buttons/0/type") && !strings.Contains(said, "/colour") || !strings.Contains(said, "Nothing has happened.") {
			t.Errorf("an assistant hears %q", said)
		}
		result, a = use(t, account, &mcpsdk.CallToolParams{Name: "send_buttons", Arguments: map[string]any{"instance": "demo", "number": "5511999990001", "contentText": "x", "buttons": []any{map[string]any{"displayText": "A"}}}})
		a.wants(t, 400, "errors.0.pointer=/buttons/0/id")
		if said := text(t, result.Content[0]); said != "Button 1: ID is required" {
			t.Errorf("the seed's words are %q", said)
		}
		_, a = use(t, account, &mcpsdk.CallToolParams{Name: "send_text", Arguments: map[string]any{"instance": 5, "message": "x"}})
		a.wants(t, 400, "code=invalid_arguments", "errors.0.pointer=/instance")
		_, a = use(t, account, &mcpsdk.CallToolParams{Name: "send_text", Arguments: map[string]any{"instance": "../demo", "number": "5511999990001", "message": "x"}})
		a.wants(t, 400, "code=invalid_request", "errors.0.pointer=/instance", "errors.0.suggestion")
		if _, err := account.CallTool(t.Context(), &mcpsdk.CallToolParams{Name: "send_list"}); err == nil || !strings.Contains(err.Error(), "send_list") {
			t.Errorf("a tool that is not there: %v", err)
		}
		if _, err := account.CallTool(t.Context(), &mcpsdk.CallToolParams{Name: "whatsapp_sendButtons_v1"}); err != nil {
			t.Errorf("no arguments: %v", err)
		}
	})

	t.Run("pairing", func(t *testing.T) {
		_, a := use(t, account, &mcpsdk.CallToolParams{Name: "instance_new", Arguments: map[string]any{"name": "shop"}})
		a.wants(t, 200, "instance.name=shop", "instance.token")
		s.ask(t, s.token, "GET", "/v1/audit?limit=1", "").wants(t, 200, "entries.0.action=POST /api/instance/new", "entries.0.from=127.0.0.1")
		shown, a := use(t, account, &mcpsdk.CallToolParams{Name: "instance_connect", Arguments: map[string]any{"instance": "shop", "number": nil}})
		a.wants(t, 200, "status=connecting", "qrCode", "!qrCodeBase64")
		picture, ok := shown.Content[1].(*mcpsdk.ImageContent)
		if !ok || picture.MIMEType != "image/png" || !strings.HasPrefix(string(picture.Data), "\x89PNG") || strings.Count(text(t, shown.Content[2]), "█") < 50 {
			t.Errorf("no picture of the code: %+v", shown.Content)
		}
		use(t, account, &mcpsdk.CallToolParams{Name: "instance_delete", Arguments: map[string]any{"instance": "shop"}})
		use(t, account, &mcpsdk.CallToolParams{Name: "instance_new", Arguments: map[string]any{"name": "shop"}})
		ended := make(chan *mcpsdk.CallToolResult, 1)
		go func() {
			params := &mcpsdk.CallToolParams{Name: "whatsapp_instance_connect_v1", Arguments: map[string]any{"instance": "shop"}}
			params.SetProgressToken("p1")
			result, err := account.CallTool(t.Context(), params)
			if err != nil {
				t.Error(err)
			}
			ended <- result
		}()
		var step *mcpsdk.ProgressNotificationParams
		select {
		case step = <-told:
		case result := <-ended:
			t.Fatalf("the pairing ended with %+v", result)
		}
		code := strings.Split(step.Message, "\n")
		if step.ProgressToken != "p1" || !strings.HasPrefix(code[0], "qr") || len(code) < 20 || step.Meta["image"] == nil {
			t.Fatalf("the first step is %q, %v", step.Message, step.Meta)
		}
		s.ask(t, "", "POST", "/sim/v1/accounts", `{"number":"5511300000077","name":"Shop"}`).wants(t, 201)
		s.scanned(t, "shop", "5511300000077", code[1])
		if result := <-ended; result == nil || result.IsError {
			t.Errorf("the pairing ended with %+v", result)
		}
		_, a = use(t, account, &mcpsdk.CallToolParams{Name: "instance_connect", Arguments: map[string]any{"instance": "shop"}})
		a.wants(t, 200, "status=connected")
		_, a = use(t, account, &mcpsdk.CallToolParams{Name: "instance_list", Arguments: map[string]any{"instanceName": "shop"}})
		a.wants(t, 200, "instances.0.connection.state=connected", "!instances.1")
		_, a = use(t, account, &mcpsdk.CallToolParams{Name: "instance_delete", Arguments: map[string]any{"instance": "shop"}})
		a.wants(t, 200, "success=true")
	})
}
