package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// rpc sends one message to /mcp as small clients do, and returns the content of the first data
// line, or else of the whole answer.
func (s *served) rpc(t *testing.T, message string, header ...string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/mcp", strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	header = append([]string{"Content-Type", "application/json", "Accept", "application/json, text/event-stream", "token", s.token}, header...)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answered{status: res.StatusCode, header: res.Header, raw: string(raw)}
	for line := range strings.Lines(a.raw) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			raw = []byte(data)
			break
		}
	}
	_ = json.Unmarshal(raw, &a.body) // some answers are not JSON
	return a
}

// called calls a tool as a client that knows only the first protocol version does, and reads only
// the JSON in the text of the answer.
func (s *served) called(t *testing.T, tool, arguments string) answered {
	t.Helper()
	hello := s.rpc(t, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"crm","version":"1.0"}}}`)
	hello.wants(t, 200, "result.protocolVersion=2024-11-05", "result.capabilities.tools", "result.serverInfo.name=tapnode")
	session := hello.header.Get("Mcp-Session-Id")
	s.rpc(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, "Mcp-Session-Id", session).wants(t, 202)
	a := s.rpc(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, tool, arguments), "Mcp-Session-Id", session)
	said, _ := a.at("result.content.0.text").(string)
	out := answered{status: 200, raw: said}
	if a.at("result.isError") == true || a.at("error") != nil {
		out.status = 502
		if said == "" {
			said, _ = a.at("error.message").(string)
		}
		out.body = map[string]any{"said": said}
		return out
	}
	if err := json.Unmarshal([]byte(said), &out.body); err != nil {
		t.Errorf("%s: not a JSON object: %s", tool, a.raw)
	}
	return out
}

// TestContractTools: a client of the seed's product sends by the Model Context Protocol and reads
// the text of answers, and the top level of the JSON in it.
func TestContractTools(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	t.Run("page", func(t *testing.T) { s.toolsPage(t) })
	const hook = `{"instance":"demo","label":"crm","enabled":true,"url":"https://crm.example/in","authorization":"Bearer 0123456789abcdef","events":["message.exchange"],"byEvents":false,"mediaBase64":false}`
	for _, c := range []struct {
		tool, arguments string
		status          int
		wants           []string
	}{
		{"send_text", `{"instance":"demo","number":"5511999990001","message":"Hello","linkPreview":false}`, 200, []string{"success=true", "messageId", "data.messageId", "warnings.0.pointer=/linkPreview"}},
		{"send_buttons", `{"instance":"demo","number":"5511999990001","contentText":"x","buttons":[{"id":"a","displayText":"A"}]}`, 200, []string{"messageId", "status=sent", "data.messageType=buttons"}},
		{"send_buttons", `{"instance":"demo","number":"5511999990001","contentText":"x","buttons":[]}`, 502, []string{"said=At least one button is required"}},
		{"send_buttons", `{"instance":"nobody","number":"5511999990001","contentText":"x","buttons":[{"id":"a","displayText":"A"}]}`, 502, []string{"said=Instance not found"}},
		{"send_list", `{"instance":"demo"}`, 502, []string{`said=unknown tool "send_list"`}},
		{"webhook_set", hook, 200, []string{"success=true", "label=crm", "enabled=true"}},
		{"webhook_get", `{"instance":"demo","label":"crm"}`, 200, []string{"label=crm", "enabled=true", "url=https://crm.example/in", "authorization=Bearer 0123456789abcdef", `events=["message.exchange"]`, "byEvents=false", "mediaBase64=false"}},
		{"webhook_get", `{"instance":"demo","label":"none"}`, 502, []string{"said=Webhook not found"}},
		{"instance_list", `{}`, 200, []string{"instances.0.name=demo", "instances.0.token", "meta.total=1"}},
		{"instance_reconnect", `{"instance":"demo"}`, 200, []string{"status=connected"}},
		{"instance_logout", `{"instance":"demo"}`, 200, []string{"success=true", "status=loggedout"}},
		{"send_text", `{"instance":"demo","number":"5511999990001","message":"x"}`, 502, []string{"said=Instance is not connected to WhatsApp"}},
	} {
		t.Run(c.tool, func(t *testing.T) { s.called(t, c.tool, c.arguments).wants(t, c.status, c.wants...) })
	}
	sent := s.called(t, "message_get", `{"instance":"demo","messageId":"3EB0FF"}`)
	sent.wants(t, 502, "said")
}

// toolsPage runs what docs/mcp.md shows, and checks that each tool it names exists.
func (s *served) toolsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `.*? \\|").FindAllString(string(page), -1) {
		for _, m := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row, -1) {
			s.rpc(t, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"`+m[1]+`","arguments":{"instance":"none"}}}`).wants(t, 200, "result.content.0.text")
		}
	}
	_, command, ok := strings.Cut(string(page), "```\ncurl")
	command, _, end := strings.Cut(command, "```")
	if !ok || !end {
		t.Fatal("the page shows no command")
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "curl"+strings.ReplaceAll(command, "http://127.0.0.1:8080", s.url))
	cmd.Env = append(os.Environ(), "TOKEN="+s.token)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "messageId") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestToolsRefuse: which requests /mcp refuses, and with which status.
func TestToolsRefuse(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	listed := s.rpc(t, list)
	listed.wants(t, 200, "result.tools.0.name")
	if listed.header.Get("X-Accel-Buffering") != "no" || listed.header.Get("Mcp-Session-Id") != "" {
		t.Errorf("headers %v", listed.header)
	}
	for _, c := range []struct {
		name, message string
		header        []string
		status        int
		said          string
	}{
		{"no token", list, []string{"token", ""}, 401, "Missing token in header"},
		{"wrong token", list, []string{"token", "tap_x"}, 401, "Invalid token"},
		{"token of the query", list, []string{"token", ""}, 401, "Missing token"},
		{"page of another origin", list, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403, "another origin"},
		{"rebound name", list, []string{"Host", "evil.example"}, 403, "host names"},
		{"several in one", "[" + list + "," + list + "]", nil, 400, "one message in a request"},
		{"several behind spaces", " \n[" + list + "]", nil, 400, "one message in a request"},
		{"no JSON", "{", nil, 400, "malformed"},
		{"nothing", "", nil, 400, "non-empty"},
		{"other type", list, []string{"Content-Type", "text/plain"}, 415, "application/json"},
		{"other version", list, []string{"Mcp-Protocol-Version", "1999-01-01"}, 400, "protocol version"},
		{"too large", `{"jsonrpc":"2.0","id":1,"method":"tools/list","x":"` + strings.Repeat("a", 16<<20) + `"}`, nil, 413, "larger than"},
		{"subscription", `{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`,
			[]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "subscriptions/listen"}, 404, "method not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.rpc(t, c.message, c.header...)
			if a.status != c.status || !strings.Contains(a.raw, c.said) {
				t.Errorf("%d %.300s", a.status, a.raw)
			}
		})
	}
	s.rpc(t, list, "Mcp-Session-Id", "of another server").wants(t, 200) // there are no sessions, so none can be missing
	for _, method := range []string{"GET", "DELETE"} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+"/mcp", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("token", s.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 405 || res.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d", method, res.StatusCode)
		}
	}

	made := s.rpc(t, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"instance_new","arguments":{"name":"demo"}}}`)
	made.wants(t, 200, "result.isError=true")
	if made.header.Get("X-RateLimit-Remaining") == "" {
		t.Error("a call is not counted")
	}
}

// TestToolEndsWithItsRequest: when the client has gone, its call is cancelled.
func TestToolEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	s.ask(t, s.token, "POST", "/api/instance/new", `{"name":"shop"}`).wants(t, 201)
	const call = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whatsapp_instance_connect_v1","arguments":{"instance":"shop"},"_meta":{"progressToken":1}}}`
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: localhost\r\ntoken: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: %d\r\n\r\n%s", s.token, len(call), call)
	for heard := ""; !strings.Contains(heard, "notifications/progress"); {
		part := make([]byte, 4096)
		n, err := conn.Read(part)
		if err != nil {
			t.Fatal(err)
		}
		heard += string(part[:n])
	}
	state := func() any {
		return s.ask(t, s.token, "GET", "/api/instance/list?instanceName=shop", "").at("instances.0.status")
	}
	if got := state(); got != "connecting" {
		t.Fatalf("while it pairs it is %v", got)
	}
	_ = conn.Close()
	deadline(t, func() bool { return state() == "disconnected" })
}
