package cli

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestContractPhone: information that only a phone has is also where clients look for it. A pairing
// that waits for a passkey says so in connect; the pause of new contacts, with its end, is in the
// list and in instance.state. A server that stops ends a pairing that nobody waits for.
func TestContractPhone(t *testing.T) {
	t.Parallel()
	s := serveSimulated(t)
	s.until(t, `wait.armed +ask`)
	const number = "5511300000078"
	s.ask(t, "", "POST", "/sim/v1/accounts", `{"number":"`+number+`","requirePasskey":true}`).wants(t, 201)
	s.ask(t, s.token, "POST", "/api/instance/new", `{"name":"locked"}`).wants(t, 201)
	scan, err := json.Marshal(map[string]any{"qr": s.ask(t, s.token, "GET", "/api/instance/connect/locked", "").at("qrCode")})
	if err != nil {
		t.Fatal(err)
	}
	var scanning sync.WaitGroup
	scanning.Go(func() { // this request is answered when the instance is linked
		res, err := http.Post(s.url+"/sim/v1/accounts/"+number+"/scan", "application/json", strings.NewReader(string(scan)))
		if err != nil {
			t.Error(err)
			return
		}
		_ = res.Body.Close()
	})
	var asked answered
	deadline(t, func() bool {
		asked = s.ask(t, s.token, "GET", "/api/instance/connect/locked", "")
		return asked.at("stage") == "passkey"
	})
	asked.wants(t, 200, "status=connecting", "passkey.challenge", "data.passkey.challenge", "qrCodeBase64=")
	request, err := json.Marshal(asked.at("passkey"))
	if err != nil {
		t.Fatal(err)
	}
	response := s.ask(t, "", "POST", "/sim/v1/accounts/"+number+"/passkey", string(request))
	response.wants(t, 200)
	if status, body := s.do(t, "POST", "/v1/operations/whatsapp.instance.passkey@1/execute", `{"input":{"instance":"locked","response":`+response.raw+`}}`); status != 200 || !strings.Contains(body, `"output"`) {
		t.Fatalf("passkey: %d %s", status, body)
	}
	scanning.Wait()
	deadline(t, func() bool {
		return s.ask(t, s.token, "GET", "/api/instance/list?instanceName=locked", "").at("instances.0.status") == "connected"
	})

	next := s.listen(t, s.token, "locked")
	s.ask(t, "", "POST", "/sim/v1/faults", `{"match":{"stage":"message","recipient":"5511999990001"},"times":1,"action":{"ackError":{"code":463}}}`)
	s.ask(t, s.token, "POST", endpoint+"locked", menuTo).wants(t, 500, "success=false", "error.message~(463)")
	state := next("instance.state")
	for state.at("data.newContacts") == nil { // earlier states
		state = next("instance.state")
	}
	state.wants(t, 200, "data.state=connected", "data.newContacts.reason=new_chats_locked", "data.newContacts.until")
	s.ask(t, s.token, "GET", "/api/instance/list?instanceName=locked", "").wants(t, 200, "instances.0.status=connected", "instances.0.newContacts.until="+state.at("data.newContacts.until").(string))

	s.ask(t, s.token, "POST", "/api/instance/new", `{"name":"left"}`).wants(t, 201)
	s.ask(t, s.token, "GET", "/api/instance/connect/left", "").wants(t, 200, "qrCode") // serve has to stop despite this pairing
}
