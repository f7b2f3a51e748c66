package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// answered is the answer to a client of the seed's API.
type answered struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// ask makes a request as the clients do: with the token in its header, and a content type even
// without a body.
func (s *served) ask(t *testing.T, token, method, path, body string, header ...string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("token", token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // clients follow no redirects
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answered{status: res.StatusCode, header: res.Header, raw: strings.TrimSpace(string(raw))}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Errorf("%s %s: not a JSON object: %s", method, path, raw)
		}
	}
	return a
}

// at finds a value by a path with dots; nil when there is none.
func (a answered) at(path string) any {
	var v any = a.body
	for name := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// wants checks conditions: "path" exists, "path=value" has the JSON or the text, "path~text"
// contains it, "!path" does not exist.
func (a answered) wants(t *testing.T, status int, conditions ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %s", a.status, status, a.raw)
		return
	}
	for _, c := range conditions {
		path, value, equal := strings.Cut(c, "=")
		part, contains := "", false
		if !equal {
			path, part, contains = strings.Cut(c, "~")
		}
		absent := strings.HasPrefix(path, "!")
		v := a.at(strings.TrimPrefix(path, "!"))
		raw, _ := json.Marshal(v)
		text := fmt.Sprint(v)
		switch {
		case absent && v != nil, !absent && v == nil && value != "null",
			equal && value != text && value != string(raw),
			contains && !strings.Contains(text, part):
			t.Errorf("want %s, got %s in %s", c, raw, a.raw)
		}
	}
}

const menuTo = `{"number":"5511999990001","contentText":"How can we help?","source":"crm","buttons":[{"id":"a1","displayText":"Talk to sales"}]}`

// scanned links an instance to a simulated account, as its owner's phone does.
func (s *served) scanned(t *testing.T, instance, number, qr string) {
	t.Helper()
	scan, _ := json.Marshal(map[string]string{"qr": qr})
	if a := s.ask(t, "", "POST", "/sim/v1/accounts/"+number+"/scan", string(scan)); a.status >= 300 {
		t.Fatalf("scan: %d %s", a.status, a.raw)
	}
	deadline(t, func() bool {
		return s.ask(t, s.token, "GET", "/api/instance/list?instanceName="+instance, "").at("instances.0.connection.state") == "connected"
	})
}

// TestContractInstances takes an instance through its life as clients of the seed's product do:
// each row of the contract about instances, with the fields that clients read from the answer.
func TestContractInstances(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	long := "_" + strings.Repeat("a", 99)

	made := s.ask(t, s.token, "POST", "/api/instance/new", `{"name":"shop_1","disableHistorySync":true,"webhookEnabled":true,"webhookURL":"https://crm.example/in?secret=1","webhookEvents":["message.exchange"]}`)
	made.wants(t, 201, "success=true", "message", "instance.token", "instance.name=shop_1", "instance.id", "instance.status=disconnected",
		"instance.createdAt", "instance.updatedAt", "data.token", "data.name=shop_1", "warnings.0.pointer=/disableHistorySync")
	token, _ := made.at("instance.token").(string)
	if token != made.at("data.token") || token == "" || strings.ContainsAny(token, " \n") || len(token) > 4096 {
		t.Errorf("token %q", token)
	}
	for _, c := range []struct {
		name, token, method, path, body string
		status                          int
		wants                           []string
	}{
		{"same name", s.token, "POST", "/api/instance/new", `{"name":"shop_1"}`, 409, []string{"success=false", "error.message~already exists"}},
		{"no name", s.token, "POST", "/api/instance/new", `{}`, 400, []string{"error.message=Instance name is required"}},
		{"name in another case", s.token, "POST", "/api/instance/new", `{"Name":"shop_2"}`, 400, []string{"error.message=Instance name is required"}},
		{"no object", s.token, "POST", "/api/instance/new", `["shop_2"]`, 400, []string{"error.message=Invalid request body: it must be an object"}},
		{"no body", s.token, "POST", "/api/instance/new", ``, 400, []string{"error.message=Instance name is required"}},
		{"broken body", s.token, "POST", "/api/instance/new", `{"name":`, 400, []string{"error.message~Invalid request body: "}},
		{"wrong type", s.token, "POST", "/api/instance/new", `{"name":5}`, 400, []string{"error.message~/name cannot be a JSON number"}},
		{"name too long", s.token, "POST", "/api/instance/new", `{"name":"` + long + `a"}`, 400, []string{"success=false", "error.message"}},
		{"bad webhook", s.token, "POST", "/api/instance/new", `{"name":"shop_2","webhookURL":"ftp://x"}`, 400, []string{"error.message~URL must begin with"}},
		{"webhook that can never be called", s.token, "POST", "/api/instance/new", `{"name":"shop_2","webhookURL":"http://[fe80::1]/in"}`, 400, []string{"error.message~not public"}},
		{"longest name", s.token, "POST", "/api/instance/new", `{"name":"` + long + `"}`, 201, []string{"instance.name=" + long}},
		{"made by an instance", token, "POST", "/api/instance/new", `{"name":"shop_2"}`, 403, []string{"success=false"}},
		{"list of the account", s.token, "GET", "/api/instance/list", ``, 200, []string{"success=true", "instances.2.name", "instances.2.token", "meta.total=3", "!instances.3"}},
		{"list by name", s.token, "GET", "/api/instance/list?instanceName=shop_1", ``, 200, []string{"instances.0.name=shop_1", "instances.0.token=" + token, "instances.0.connection.state=disconnected", "instances.0.status=disconnected", "instances.0.numberJid=null", "instances.0.profile.name=", "meta.total=1"}},
		{"list of a stranger", s.token, "GET", "/api/instance/list?instanceName=Shop_1", ``, 200, []string{"instances=[]", "meta.total=0"}},
		{"list by a name that none can have", s.token, "GET", "/api/instance/list?instanceName=%20", ``, 200, []string{"instances=[]"}},
		{"list by an instance", token, "GET", "/api/instance/list", ``, 200, []string{"instances.0.name=shop_1", "meta.total=1", "!instances.1"}},
		{"list of another by an instance", token, "GET", "/api/instance/list?instanceName=demo", ``, 403, []string{"success=false"}},
		{"connected", s.token, "GET", "/api/instance/list?instanceName=demo", ``, 200, []string{"instances.0.connection.state=connected", "instances.0.connection.numberJid=5511300000000@s.whatsapp.net", "instances.0.numberJid=5511300000000@s.whatsapp.net"}},
		{"connect a connected one", s.token, "GET", "/api/instance/connect/demo?number=&history=7", ``, 200, []string{"success=true", "status=connected", "data.status=connected"}},
		{"reconnect", s.token, "POST", "/api/instance/reconnect/demo", ``, 200, []string{"status=connected"}},
		{"reconnect without a session", s.token, "POST", "/api/instance/reconnect/shop_1", ``, 400, []string{"error.message=Instance has no saved session — call /connect first"}},
		{"own account", s.token, "GET", "/api/profile/getAccount/demo", ``, 200, []string{"profile.jid=5511300000000@s.whatsapp.net", "profile.phoneNumber=5511300000000", "profile.lid"}},
		{"account of a contact", s.token, "GET", "/api/profile/getAccount/demo?number=5511999990001", ``, 200, []string{"profile.jid=5511999990001@s.whatsapp.net", "profile.phoneNumber=5511999990001", "profile.lid", "profile.profilePicture=null"}},
		{"account of nobody", s.token, "GET", "/api/profile/getAccount/demo?number=5511988887777", ``, 404, []string{"error.message=The number is not on WhatsApp"}},
		{"contact", s.token, "GET", "/api/chat/contacts/demo?number=5511999990001", ``, 200, []string{"contact.found=true", "contact.jid=5511999990001@s.whatsapp.net", "contact.lid~@lid", "data.found=true"}},
		{"contact that is not there", s.token, "GET", "/api/chat/contacts/demo?number=5511988887777", ``, 200, []string{"success=true", "contact.found=false", "contact.jid=null", "contact.lid=null"}},
		{"contact by no number", s.token, "GET", "/api/chat/contacts/demo?number=12", ``, 400, []string{"status=invalid_number", "error.message~Invalid phone number format: "}},
		{"list of contacts", s.token, "GET", "/api/chat/contacts/demo", ``, 501, []string{"success=false", "error.message"}},
		{"contacts of another", token, "GET", "/api/chat/contacts/demo?number=5511999990001", ``, 403, []string{"error.message~Instance token does not ma"}},
		{"contacts of a stranger", s.token, "GET", "/api/chat/contacts/nobody", ``, 404, []string{"error.message=Instance not found"}},
		{"connect a stranger", s.token, "GET", "/api/instance/connect/nobody", ``, 404, []string{"error.message=Instance not found"}},
		{"connect nothing", s.token, "GET", "/api/instance/connect/", ``, 400, []string{"error.message=Instance name is required"}},
		{"connect another's", token, "GET", "/api/instance/connect/demo", ``, 403, []string{"error.message~Instance token does not ma"}},
		{"webhook of instance/new", token, "GET", "/api/events/getWebhook/shop_1?label=default", ``, 200, []string{"webhook.url=https://crm.example/in?secret=1", "webhook.enabled=true", `webhook.events=["message.exchange"]`}},
	} {
		t.Run(c.name, func(t *testing.T) { s.ask(t, c.token, c.method, c.path, c.body).wants(t, c.status, c.wants...) })
	}

	s.ask(t, "", "POST", "/sim/v1/accounts", `{"number":"5511300000077","name":"Shop"}`).wants(t, 201)
	coded := s.ask(t, s.token, "GET", "/api/instance/connect/shop_1?number=5511300000077", "")
	coded.wants(t, 200, "status=connecting", "pairingCode", "data.pairingCode")
	if code, _ := coded.at("pairingCode").(string); len(code) != 9 || code[4] != '-' {
		t.Errorf("pairing code %q", code)
	}
	shown := s.ask(t, token, "GET", "/api/instance/connect/shop_1?history=7", "") // the code is omitted in favour of the picture
	shown.wants(t, 200, "success=true", "message", "status=connecting", "qrCode", "qrCodeBase64~data:image/png;base64,iVBORw0KGgo", "data.qrCodeBase64", "data.qrCode", "pairingCode=", "expiresAt")
	s.ask(t, s.token, "GET", "/api/instance/list?instanceName=shop_1", "").wants(t, 200, "instances.0.connection.state=connecting")
	again := s.ask(t, token, "GET", "/api/instance/connect/shop_1", "")
	if again.at("qrCode") != shown.at("qrCode") {
		t.Error("a second look at the pairing shows another code while the first is valid")
	}
	s.scanned(t, "shop_1", "5511300000077", again.at("qrCode").(string))
	s.ask(t, token, "POST", endpoint+"shop_1", menuTo).wants(t, 200, "status=sent")
	rotated := s.ask(t, s.token, "POST", "/v1/instances/shop_1/token", "")
	rotated.wants(t, 200, "token", "instance=shop_1")
	s.ask(t, token, "GET", "/api/instance/list", "").wants(t, 401)
	token, _ = rotated.at("token").(string)
	s.ask(t, token, "POST", "/v1/instances/shop_1/token", "").wants(t, 403)
	s.ask(t, s.token, "POST", "/v1/instances/nobody/token", "").wants(t, 404)
	s.ask(t, token, "DELETE", "/api/instance/logout/shop_1", "").wants(t, 200, "success=true", "status=loggedout")
	s.ask(t, s.token, "GET", "/api/instance/list?instanceName=shop_1", "").wants(t, 200, "instances.0.status=loggedout", "instances.0.token="+token)
	s.ask(t, token, "DELETE", "/api/instance/delete/shop_1", "").wants(t, 403, "success=false")
	s.ask(t, s.token, "DELETE", "/api/instance/delete/shop_1", "").wants(t, 200, "success=true")
	s.ask(t, s.token, "DELETE", "/api/instance/delete/shop_1", "").wants(t, 404, "error.message=Instance not found")
	s.ask(t, token, "GET", "/api/instance/list", "").wants(t, 401, "error.message=Invalid token")

	anew := s.ask(t, s.token, "POST", "/api/instance/new", `{"name":"shop_1"}`)
	anew.wants(t, 201)
	if anew.at("instance.token") == token || anew.at("instance.id") == made.at("instance.id") {
		t.Error("an instance that was made anew has the token or the id of the old one")
	}
	s.ask(t, token, "GET", "/api/instance/list", "").wants(t, 401)
	s.ask(t, s.token, "GET", "/api/events/getWebhook/shop_1", "").wants(t, 200, "webhooks=[]", "!webhook")
}

// TestContractMessages sends as the clients do, and checks the fields that they read.
func TestContractMessages(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	token, _ := s.ask(t, s.token, "GET", "/api/instance/list?instanceName=demo", "").at("instances.0.token").(string)
	const text = "/api/message/text/"
	for _, c := range []struct {
		name, path, body string
		status           int
		wants            []string
	}{
		{"button", endpoint + "demo", menuTo, 200, []string{"success=true", "message=Message sent successfully", "status=sent", "messageId", "data.messageId", "data.id", "data.timestamp", "data.content=How can we help?", "data.messageType=buttons", "!warnings"}},
		{"button without type, with strangers", endpoint + "demo", `{"number":"5511999990001","contentText":"x","mention":[],"instance":"other","buttons":[{"id":"1","displayText":"One","emoji":"x"},{"id":"2","displayText":"Two"}]}`, 200,
			[]string{"status=sent", "warnings.0.pointer=/mention", "warnings.0.code=unknown_member", "warnings.1.pointer=/instance", "warnings.2.pointer=/buttons/0/emoji"}},
		{"in the plural", endpoint[:len(endpoint)-1] + "s/demo", menuTo, 200, []string{"status=sent"}},
		{"message", text + "demo", `{"number":"5511999990001","message":"Hello","linkPreview":false}`, 200, []string{"success=true", "status=sent", "messageId", "data.messageId", "data.id", "data.timestamp", "data.content=Hello", "data.messageType=text", "warnings.0.pointer=/linkPreview"}},
		{"text", text + "demo", `{"number":"5511999990001","text":"Hello","source":"crm"}`, 200, []string{"status=sent", "data.content=Hello", "!warnings"}},
		{"message before text", text + "demo", `{"text":"a","message":"b","number":"5511999990001"}`, 200, []string{"data.content=b", "warnings.0.pointer=/text"}},
		{"no text", text + "demo", `{"number":"5511999990001"}`, 400, []string{"error.message=Message is required"}},
		{"no number", text + "demo", `{"message":"x"}`, 400, []string{"error.message=Number is required"}},
		{"not a number", text + "demo", `{"number":"12","message":"x"}`, 400, []string{"status=invalid_number", "error.message~Invalid phone number format: "}},
		{"no instance", text, `{"message":"x"}`, 400, []string{"error.message=Instance name is required"}},
		{"another's", text + "other", `{"number":"5511999990001","message":"x"}`, 403, []string{"error.message~Instance token does not ma"}},
		{"broken", text + "demo", `{"number":`, 400, []string{"error.message~Invalid request body: "}},
		{"member twice", text + "demo", `{"number":"5511999990001","message":"x","message":"y"}`, 400, []string{"error.message~Invalid request body: "}},
	} {
		t.Run(c.name, func(t *testing.T) { s.ask(t, token, "POST", c.path, c.body).wants(t, c.status, c.wants...) })
	}
	s.ask(t, s.token, "POST", text+"nobody", `{"number":"5511999990001","message":"x"}`).wants(t, 404, "error.message=Instance not found")
	lid, _ := s.ask(t, token, "GET", "/api/chat/contacts/demo?number=5511999990001", "").at("contact.lid").(string)
	s.ask(t, token, "POST", endpoint+"demo", strings.Replace(menuTo, "5511999990001", lid, 1)).wants(t, 200, "status=sent", "data.messageId", "!warnings")
	const key = "Idempotency-Key"
	first := s.ask(t, token, "POST", text+"demo", `{"number":"5511999990001","message":"once"}`, key, "k1")
	second := s.ask(t, s.token, "POST", text+"demo", `{"number":"5511999990001","message":"once"}`, key, "k1")
	if first.at("messageId") != second.at("messageId") || second.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("the same key: %s, then %s", first.raw, second.raw)
	}
	id, _ := first.at("messageId").(string)
	s.ask(t, token, "GET", "/api/chat/getMessage/demo?messageId="+id, "").wants(t, 200, "success=true", "data.messageId="+id, "data.chat.jid=5511999990001@s.whatsapp.net", "status")
	s.ask(t, token, "GET", "/api/chat/status/demo?messageId="+id, "").wants(t, 200, "message_id="+id, "direction=sent", "chat_jid=5511999990001@s.whatsapp.net", "status")
	s.ask(t, token, "GET", "/api/chat/getMessage/demo?messageId=3EB0FF", "").wants(t, 404, "success=false")
	s.ask(t, token, "GET", "/api/chat/getMessage/demo", "").wants(t, 400, "error.message=MessageId is required")
}
