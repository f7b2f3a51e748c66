package cli

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// listen opens a socket of an instance as the clients do. next returns the next of the seed's
// events with a name, except those of messages that we sent.
func (s *served) listen(t *testing.T, token, instance string) (next func(event string) answered) {
	t.Helper()
	dial := func() (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(t.Context(), strings.Replace(s.url, "http", "ws", 1)+"/ws/"+instance, &websocket.DialOptions{HTTPHeader: http.Header{"Token": {token}}})
	}
	conn, answer, err := dial()
	for err != nil && answer != nil && answer.StatusCode == http.StatusTooManyRequests {
		seconds, wrong := strconv.Atoi(answer.Header.Get("Retry-After"))
		if wrong != nil {
			t.Fatalf("429 without a Retry-After in seconds: %v", wrong)
		}
		time.Sleep(time.Duration(seconds) * time.Second)
		conn, answer, err = dial()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return func(event string) answered {
		t.Helper()
		for {
			_, raw, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a := answered{status: 200, raw: string(raw)}
			if err := json.Unmarshal(raw, &a.body); err != nil {
				t.Fatal(err)
			}
			if a.at("event") == event && a.at("data.direction") != "outgoing" {
				return a
			}
		}
	}
}

// refusedSocket checks the answer to a client that may not open a socket.
func (s *served) refusedSocket(t *testing.T, token, instance string, status int, message string) {
	t.Helper()
	s.ask(t, token, "GET", "/ws/"+instance, "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==").
		wants(t, status, "success=false", "error.message~"+message)
}

// TestContractEvents configures webhooks and the websocket as the clients do, and reads events.
func TestContractEvents(t *testing.T) {
	t.Parallel()
	contractEvents(t, serveSimulated(t))
}

func TestContractEventsOnPostgres(t *testing.T) {
	t.Parallel()
	contractEvents(t, serveSimulated(t, "--database", sqldbtest.Postgres(t)))
}

func contractEvents(t *testing.T, s *served) {
	s.until(t, `wait.armed +ask`)
	token, _ := s.ask(t, s.token, "GET", "/api/instance/list?instanceName=demo", "").at("instances.0.token").(string)
	const hook = `{"label":"crm","enabled":true,"url":"https://crm.example/in","authorization":"Bearer 0123456789abcdef0123456789abcdef","events":["message.status","message.exchange"],"mediaBase64":true,"byEvents":false}`
	const kept = `{"authorization":"Bearer 0123456789abcdef0123456789abcdef","byEvents":false,"enabled":true,"events":["message.status","message.exchange"],"label":"crm","mediaBase64":true,"url":"https://crm.example/in"}`
	const webhooks, getWebhook, sockets, getSocket = "/api/events/webhook/", "/api/events/getWebhook/", "/api/events/websocket/", "/api/events/getWebsocket/"
	enabled := func(label string) string { return strings.Replace(hook, `"crm"`, `"`+label+`"`, 1) }
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		wants                    []string
	}{
		{"no webhook", "GET", getWebhook + "demo", ``, 200, []string{"success=true", "webhooks=[]", "!webhook"}},
		{"unknown label", "GET", getWebhook + "demo?label=crm", ``, 404, []string{"success=false", "error.message=Webhook not found"}},
		{"set", "POST", webhooks + "demo", hook, 200, []string{"success=true", "ok=true", "webhook=" + kept, "data=" + kept, "!warnings"}},
		{"get to the letter", "GET", getWebhook + "demo?label=crm", ``, 200, []string{"webhook=" + kept, "data=" + kept}},
		{"all", "GET", getWebhook + "demo", ``, 200, []string{"webhooks.0.label=crm", "webhooks.0.enabled=true", "!webhook"}},
		{"by the other path", "GET", webhooks + "demo?label=crm", ``, 200, []string{"webhook.label=crm"}},
		{"switched off", "POST", webhooks + "demo", `{"label":"crm","enabled":false}`, 200, []string{"webhook.enabled=false", "webhook.url=https://crm.example/in", "!warnings"}},
		{"on without a URL", "POST", webhooks + "demo", `{"label":"new","enabled":true}`, 400, []string{"error.message=URL is required"}},
		{"off without a URL", "POST", webhooks + "demo", `{"label":"new","enabled":false}`, 200, []string{"webhook.url=", "webhook.events=[]"}},
		{"a second", "POST", webhooks + "demo", enabled("2"), 200, nil},
		{"a third", "POST", webhooks + "demo", enabled("3"), 200, nil},
		{"the default", "POST", webhooks + "demo", `{"enabled":true,"url":"http://127.0.0.1:1/","newSwitch":1}`, 200, []string{"webhook.label=default", "warnings.0.pointer=/newSwitch"}},
		{"too many", "POST", webhooks + "demo", enabled("5"), 409, []string{"success=false", "error.message~at most 3 enabled webhooks"}},
		{"the same again", "POST", webhooks + "demo", enabled("3"), 200, nil},
		{"bad URL", "POST", webhooks + "demo", `{"label":"x","url":"javascript:1"}`, 400, []string{"error.message~URL must begin"}},
		{"an address that can never be called", "POST", webhooks + "demo", `{"label":"x","enabled":true,"url":"http://169.254.169.254/x"}`, 400, []string{"success=false", "error.message~URL: the address is not public"}},
		{"the same in other digits", "POST", webhooks + "demo", `{"label":"x","enabled":true,"url":"http://[::ffff:a9fe:a9fe]/x"}`, 400, []string{"error.message~not public"}},
		{"bad events", "POST", webhooks + "demo", `{"label":"x","events":"all"}`, 400, []string{"error.message~/events cannot be a JSON string"}},
		{"another's", "POST", webhooks + "other", hook, 403, []string{"success=false"}},
		{"no instance", "GET", getWebhook, ``, 400, []string{"error.message=Instance name is required"}},
		{"websocket as it comes", "GET", getSocket + "demo", ``, 200, []string{"success=true", "!websocket"}},
		{"websocket", "POST", sockets + "demo", `{"enabled":true,"events":["message.exchange","instance.state","message.status","group.flow"],"mediaBase64":true}`, 200, []string{"success=true", "websocket.enabled=true"}},
		{"websocket to the letter", "GET", getSocket + "demo", ``, 200, []string{`websocket={"enabled":true,"events":["message.exchange","instance.state","message.status","group.flow"],"mediaBase64":true}`}},
	} {
		t.Run(c.name, func(t *testing.T) { s.ask(t, token, c.method, c.path, c.body).wants(t, c.status, c.wants...) })
	}
	s.ask(t, s.token, "POST", webhooks+"nobody", hook).wants(t, 404, "error.message=Instance not found")
	s.ask(t, s.token, "GET", getSocket+"nobody", "").wants(t, 404, "error.message=Instance not found")
	s.refusedSocket(t, s.token, "nobody", 404, "Instance not found")
	s.refusedSocket(t, "", "demo", 401, "Missing token in header, Authorization header, or query parameter")

	next := s.listen(t, token, "demo")
	sent := s.ask(t, token, "POST", endpoint+"demo", menuTo)
	id, _ := sent.at("messageId").(string)
	var states []string
	for !slices.Contains(states, "delivered") {
		status := next("message.status")
		if status.at("data.messageIds.0") != id {
			continue // of the example flow
		}
		status.wants(t, 200, "data.status", "data.timestamp", "data.isFromMe=true", "data.chat.jid=5511999990001@s.whatsapp.net", "data.chat.type=private", "data.source=crm", "!data.messageId", "instanceData.instance=demo", "!instanceData.token")
		states = append(states, status.at("data.status").(string))
	}
	if known := []string{"sent", "delivered", "read", "failed"}; slices.ContainsFunc(states, func(s string) bool { return !slices.Contains(known, s) }) {
		t.Errorf("states %v", states)
	}
	s.ask(t, "", "POST", "/sim/v1/phones/5511999990001/click?wait=10s", `{"buttonId":"a1"}`)
	next("message.exchange").wants(t, 200, "data.id", "data.direction=incoming", "data.timestamp", "data.chat.type=private", "data.chat.jid=5511999990001@s.whatsapp.net", "data.sender.jid=5511999990001@s.whatsapp.net",
		"data.message.type=buttons_response", "data.message.content=a1", "data.message.interactive.selectedButtonId=a1", "data.message.interactive.title=Talk to sales",
		"data.button_response.selected_button_id=a1", "data.button_response.title=Talk to sales", "data.reply.message_id="+id, "data.message.source=crm")
	s.ask(t, "", "POST", "/sim/v1/phones/5511999990001/text", `{"to":"5511300000000","text":"hi"}`)
	next("message.exchange").wants(t, 200, "data.message.type=text", "data.message.content=hi")
	if read := s.ask(t, s.token, "GET", "/v1/events?after=0", ""); read.status != 200 || strings.Contains(read.raw, "5511999990001") || strings.Contains(read.raw, "How can we help?") || !strings.Contains(read.raw, id) {
		t.Errorf("/v1/events shows what only the socket and webhooks tell: %d %s", read.status, read.raw)
	}

	s.ask(t, token, "DELETE", "/api/instance/logout/demo", "").wants(t, 200)
	state := next("instance.state")
	for slices.Contains([]any{"disconnected", "connecting"}, state.at("data.state")) { // states before it: WhatsApp may hang up first
		state = next("instance.state")
	}
	state.wants(t, 200, "data.state=logged_out", "data.status=loggedout", "data.timestamp", "data.instance=demo", "data.jid=null", "instanceData.instance=demo", "!instanceData.token")

	s.ask(t, token, "POST", sockets+"demo", `{"enabled":false}`).wants(t, 200, "websocket.enabled=false", "websocket.mediaBase64=true")
	s.refusedSocket(t, token, "demo", 400, "WebSocket is not enabled for this instance")
}

// TestContractRefusals: every refusal below /api has the seed's envelope, with the messages that
// clients compare and the headers by which they wait.
func TestContractRefusals(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t, "--origin", "https://crm.example")
	s.until(t, `wait.armed +ask`)
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		message                         string
	}{
		{"unknown endpoint", "GET", "/api/nothing", s.token, "", 404, "There is no such endpoint"},
		{"unknown endpoint without a token", "POST", "/api/message/poll/demo", "", "{}", 404, "There is no such endpoint"},
		{"files", "POST", "/api/message/media/demo", s.token, `{"number":"5511999990001"}`, 501, "Files are sent as the header of a message with buttons only: use /api/message/button with mediaUrl and mediaType"},
		{"files without a token", "POST", "/api/message/media/demo", "", "{}", 401, "Missing token in header"},
		{"typing", "POST", "/api/chat/presence/demo", s.token, `{"state":"typing"}`, 501, "Typing is shown before a message only: send it with delay"},
		{"groups", "GET", "/api/group/list/demo", s.token, "", 501, "Groups are not listed here"},
		{"below /ws", "GET", "/ws/demo/x", s.token, "", 404, "There is no such endpoint"},
		{"wrong method", "GET", endpoint + "demo", s.token, "", 405, "Method not allowed; use POST"},
		{"two slashes", "POST", "/api//message/button/demo", s.token, menuTo, 404, "There is no such endpoint"},
		{"dots", "POST", "/api/x/../message/button/demo", s.token, menuTo, 404, "There is no such endpoint"},
		{"other case", "POST", "/api/Message/button/demo", s.token, menuTo, 404, "There is no such endpoint"},
		{"no token", "GET", "/api/instance/list", "", "", 401, "Missing token in header"},
		{"wrong token", "GET", "/api/instance/list", "x", "", 401, "Invalid token"},
		{"forged token", "GET", "/api/instance/list", "tapi_ZGVtbw.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", 401, "Invalid token"},
		{"token of no name", "GET", "/api/instance/list", "tapi__wA.AAAA", "", 401, "Invalid token"},
		{"large body", "POST", "/api/events/webhook/demo", s.token, strings.Repeat(" ", 65<<10), 400, "Invalid request body: it is larger than 64 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.ask(t, c.token, c.method, c.path, c.body).wants(t, c.status, "success=false", "error.message="+c.message)
		})
	}
	s.ask(t, "", "GET", "/health", "").wants(t, 200, "status=ok")
	s.ask(t, "", "GET", "/api/instance/list", "", "Authorization", "Bearer "+s.token).wants(t, 200, "success=true")
	s.ask(t, s.token, "GET", "/api/instance/list", "", "Authorization", "Bearer "+s.token).wants(t, 200, "success=true")

	s.ask(t, "", "GET", "/api/instance/list", "", "apikey", s.token).wants(t, 200, "success=true")
	s.ask(t, s.token, "GET", "/api/nothing", "").wants(t, 404, "message=There is no such endpoint", "code=not_found")

	preflight := s.ask(t, "", "OPTIONS", endpoint+"demo", "", "Origin", "https://crm.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "token,content-type")
	if h := preflight.header; preflight.status != 204 || h.Get("Access-Control-Allow-Origin") != "https://crm.example" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "token") {
		t.Errorf("preflight: %d %v", preflight.status, h)
	}
	called := s.ask(t, s.token, "POST", endpoint+"demo", menuTo, "Origin", "https://crm.example", "Sec-Fetch-Site", "cross-site")
	called.wants(t, 200)
	if called.header.Get("Access-Control-Allow-Origin") != "https://crm.example" || !strings.Contains(called.header.Get("Access-Control-Expose-Headers"), "X-RateLimit-Reset") {
		t.Errorf("headers for a page: %v", called.header)
	}
	foreign := s.ask(t, s.token, "POST", endpoint+"demo", menuTo, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
	foreign.wants(t, 403, "success=false", "error.message~another origin")
	if foreign.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("a foreign page is allowed")
	}

	began, made := time.Now(), answered{status: 409}
	for n := 0; made.status == 409; n++ {
		made = s.ask(t, s.token, "POST", "/api/instance/new", `{"name":"demo"}`)
		if made.header.Get("X-RateLimit-Limit") != "20" || made.header.Get("X-RateLimit-Reset") == "" {
			t.Fatalf("headers of a creation: %v", made.header)
		}
		again := int(time.Since(began) / (3 * time.Second)) // 20 a minute
		if made.status == 409 && n >= 20+again || made.status == 429 && n < 20 {
			t.Fatalf("creation %d: %d", n+1, made.status)
		}
	}
	made.wants(t, 429)
	for range 200 {
		if a := s.ask(t, s.token, "GET", "/api/instance/list", ""); a.status == 429 {
			a.wants(t, 429, "success=false", "error.message=Rate limit exceeded. Try again later.")
			if a.header.Get("X-RateLimit-Remaining") != "0" || a.header.Get("Retry-After") == "" {
				t.Errorf("headers at the limit: %v", a.header)
			}
			return
		}
	}
	t.Error("200 requests met no limit")
}
