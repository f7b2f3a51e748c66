package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

const endpoint = "/api/message/button/"

// TestSeedErrors has a row for every row of the seed's error table: status and exact message, over
// HTTP, from the real node, for the account's token and the instance's.
func TestSeedErrors(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`) // the instance demo is connected
	if status, body := s.do(t, "POST", endpoint+"demo", `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1","displayText":"One"}]}`); status != 200 {
		t.Fatalf("a good request: %d %s", status, body)
	}
	instance, _ := s.ask(t, s.token, "GET", "/api/instance/list?instanceName=demo", "").at("instances.0.token").(string)
	rows := []struct {
		name, instance, body string
		status               int
		internal, message    string
	}{
		{"instance", "", `{}`, 400, "", "Instance name is required"},
		{"body", "demo", `{"number":`, 400, "", "Invalid request body: unexpected end of JSON input at byte 10"},
		{"comma", "demo", `{"number":"1",}`, 400, "", "Invalid request body: invalid character '}' looking for beginning of object key string at byte 14"},
		{"body type", "demo", `{"number":5}`, 400, "", "Invalid request body: "},
		{"number", "demo", `{}`, 400, "", "Number is required"},
		{"contentText", "demo", `{"number":"5511999990001"}`, 400, "", "ContentText is required"},
		{"no buttons", "demo", `{"number":"5511999990001","contentText":"x"}`, 400, "", "At least one button is required"},
		{"empty buttons", "demo", `{"number":"5511999990001","contentText":"x","buttons":[]}`, 400, "", "At least one button is required"},
		{"four buttons", "demo", `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1","displayText":"1"},{"id":"2","displayText":"2"},{"id":"3","displayText":"3"},{"id":"4","displayText":"4"}]}`, 400, "", "Maximum of 3 buttons allowed"},
		{"mediaType missing", "demo", `{"number":"5511999990001","contentText":"x","mediaUrl":"https://example.com/a.png","buttons":[{"id":"1","displayText":"1"}]}`, 400, "", "MediaType is required when MediaURL is provided"},
		{"mediaType wrong", "demo", `{"number":"5511999990001","contentText":"x","mediaUrl":"https://example.com/a.png","mediaType":"AUDIO","buttons":[{"id":"1","displayText":"1"}]}`, 400, "", "MediaType must be one of: IMAGE, VIDEO, DOCUMENT"},
		{"button id", "demo", `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1","displayText":"1"},{"displayText":"2"}]}`, 400, "", "Button 2: ID is required"},
		{"button text", "demo", `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1"}]}`, 400, "", "Button 1: DisplayText is required"},
		{"button type", "demo", `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1","displayText":"1"},{"id":"2","displayText":"2"},{"id":"3","displayText":"3","type":"SMS"}]}`, 400, "", "Button 3: Type must be one of: REPLY, URL, CALL, COPY"},
		{"invalid number", "demo", `{"number":"12","contentText":"x","buttons":[{"id":"1","displayText":"1"}]}`, 400, "invalid_number", "Invalid phone number format: "},
		{"not on WhatsApp", "demo", `{"number":"5511988887777","contentText":"x","buttons":[{"id":"1","displayText":"1"}]}`, 400, "invalid_number", "Invalid phone number format: "},
		{"invalid request", "demo", `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1","displayText":"1"},{"id":"1","displayText":"2"}]}`, 400, "invalid_request", ""},
		{"unknown quote", "demo", `{"number":"5511999990001","contentText":"x","replyTo":"3EB0FFFFFFFFFFFFFFFFFF","buttons":[{"id":"1","displayText":"1"}]}`, 400, "invalid_request", ""},
		{"no instance", "nobody", `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1","displayText":"1"}]}`, 404, "", "Instance not found"},
	}
	for whose, token := range map[string]string{"account": s.token, "instance": instance} {
		s.token = token
		for _, c := range rows {
			if whose == "instance" && c.instance == "nobody" {
				c.status, c.internal, c.message = 403, "", "Instance token does not match the instance in the path"
			}
			t.Run(whose+": "+c.name, func(t *testing.T) { wantFailure(t, s, c.instance, c.body, c.status, c.internal, c.message) })
		}
	}

	const good = `{"number":"5511999990001","contentText":"x","buttons":[{"id":"1","displayText":"1"}]}`
	t.Run("send failed", func(t *testing.T) {
		rule := `{"match":{"stage":"message","recipient":"5511999990001"},"times":1,"action":{"ackError":{"code":500}}}`
		if status, body := s.do(t, "POST", "/sim/v1/faults", rule); status >= 300 {
			t.Fatalf("fault: %d %s", status, body)
		}
		wantFailure(t, s, "demo", good, 500, "send_failed", "Failed to send buttons message: ")
	})
	t.Run("disconnected", func(t *testing.T) {
		if status, body := s.do(t, "POST", "/sim/v1/accounts/5511300000000/devices/1/logout", ""); status >= 300 {
			t.Fatalf("logout: %d %s", status, body)
		}
		deadline(t, func() bool {
			status, _ := s.do(t, "POST", endpoint+"demo", good)
			return status == 503
		})
		wantFailure(t, s, "demo", good, 503, "disconnected", "Instance is not connected to WhatsApp")
	})
}

func wantFailure(t *testing.T, s *served, instance, body string, status int, internal, message string) {
	t.Helper()
	got, raw := s.do(t, "POST", endpoint+instance, body)
	var f struct {
		Success *bool
		Status  string
		Error   struct{ Message string }
	}
	if err := json.Unmarshal([]byte(raw), &f); err != nil || f.Success == nil || *f.Success {
		t.Fatalf("not a failure envelope: %d %s", got, raw)
	}
	exact := f.Error.Message == message
	if message == "" || strings.HasSuffix(message, ": ") {
		exact = strings.HasPrefix(f.Error.Message, message) && len(f.Error.Message) > len(message)
	}
	if got != status || f.Status != internal || !exact {
		t.Errorf("got %d %q %q, want %d %q %q", got, f.Status, f.Error.Message, status, internal, message)
	}
}

// TestSeedSuccess sends over HTTP, sees the message on the phone, and receives the tap with the
// button's id over the WebSocket.
func TestSeedSuccess(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(s.url, "http", "ws", 1)+"/ws/demo", &websocket.DialOptions{HTTPHeader: http.Header{"Token": {s.token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	const request = `{"number":"5511999990001","contentText":"How can we help?","source":"crm","buttons":[{"id":"menu_sales","displayText":"Talk to sales"}]}`
	status, raw := s.do(t, "POST", endpoint+"demo", request, "Idempotency-Key", "order-1")
	var sent struct {
		Success         bool
		Message, Status string
		Data            struct{ MessageID, Content, MessageType string }
	}
	if err := json.Unmarshal([]byte(raw), &sent); err != nil {
		t.Fatal(err)
	}
	if status != 200 || !sent.Success || sent.Message != "Message sent successfully" || sent.Status != "sent" ||
		sent.Data.Content != "How can we help?" || sent.Data.MessageType != "buttons" || !strings.HasPrefix(sent.Data.MessageID, "3EB0") {
		t.Fatalf("got %d %s", status, raw)
	}
	if _, again := s.do(t, "POST", endpoint+"demo", request, "Idempotency-Key", "order-1"); again != raw {
		t.Errorf("the same key answered\n%s, first\n%s", again, raw)
	}
	if status, body := s.do(t, "POST", endpoint+"demo", strings.Replace(request, "crm", "erp", 1), "Idempotency-Key", "order-1"); status != 422 {
		t.Errorf("the same key with another body: %d %s", status, body)
	}
	if status, body := s.do(t, "POST", "/sim/v1/phones/5511999990001/click?wait=10s", `{"buttonId":"menu_sales"}`); status >= 300 {
		t.Fatalf("click: %d %s", status, body)
	}
	var event []byte
	for !strings.Contains(string(event), `"incoming"`) { // sends and their steps are events, too
		if _, event, err = conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{`"selectedButtonId":"menu_sales"`, `"content":"menu_sales"`, sent.Data.MessageID, `"crm"`, `"instance":"demo"`} {
		if !strings.Contains(string(event), want) {
			t.Errorf("the event lacks %s: %s", want, event)
		}
	}
	if strings.Contains(string(event), s.token) {
		t.Error("the token is in the event")
	}
}
