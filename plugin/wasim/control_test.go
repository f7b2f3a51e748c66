package wasim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// api is the control API as a script uses it.
type api struct {
	t    *testing.T
	base string
}

// call sends a request whose answer must have that status, and decodes it into out unless that is nil.
func (a api) call(method, path, body string, status int, out any) string {
	a.t.Helper()
	raw, err := a.try(method, path, body, status, out)
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func (a api) try(method, path, body string, status int, out any) (string, error) {
	req, err := http.NewRequestWithContext(within(a.t), method, a.base+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != status {
		err = fmt.Errorf("%s %s answered %d, want %d\n%s", method, path, resp.StatusCode, status, raw)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(raw, out)
	}
	return string(raw), err
}

func control(t *testing.T, s *wasim.Server) api {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return api{t, s.URL() + wasim.ControlPath}
}

type inbox []struct {
	ID, Chat, From, Text, Quoted string
	Biz, Copies                  int
	Buttons                      []struct{ Type, ID, DisplayText string }
}

func TestControlPlaysTheCustomer(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	b := open(t, s, "5511999990000")
	if err := b.cli.Connect(); err != nil {
		t.Fatal(err)
	}
	qr, _ := await[*events.QR](t, b, 0, nil)
	var linked struct {
		Kind    string
		Devices []struct {
			Index  int
			Online bool
		}
	}
	c.call("POST", "accounts/5511999990000/scan", `{"qr":"`+qr.Codes[0]+`"}`, 200, &linked)
	if linked.Kind != "account" || len(linked.Devices) != 2 {
		t.Errorf("linked: %+v", linked)
	}
	await[*events.Connected](t, b, 0, nil)
	c.call("POST", "phones", `{"number":"+55 11 98888-0001","name":"Ana"}`, 201, nil)
	ana := "phones/5511988880001/"

	// The click waits for the menu that is sent meanwhile.
	var click, sent struct{ MessageID string }
	clicked := make(chan error, 1)
	go func() {
		_, err := c.try("POST", ana+"click?wait=20s", `{"buttonId":"id-yes","shape":"buttons"}`, 200, &click)
		clicked <- err
	}()
	menu := b.menu(s.Account("5511988880001").JID(), "Yes", "No")
	if err := <-clicked; err != nil {
		t.Fatal(err)
	}
	ev, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == click.MessageID })
	if ev.Message.GetButtonsResponseMessage().GetSelectedButtonID() != "id-yes" {
		t.Errorf("click came as %v", ev.Message)
	}

	var in inbox
	c.call("GET", ana+"inbox", "", 200, &in)
	if len(in) != 1 || in[0].ID != menu || in[0].From != "5511999990000" || in[0].Biz != 1 || len(in[0].Buttons) != 2 || in[0].Buttons[1].DisplayText != "No" {
		t.Errorf("inbox: %+v", in)
	}
	c.call("GET", ana+"inbox?wait=10ms&after="+menu, "", 200, &in)
	if len(in) != 0 {
		t.Errorf("nothing new, but %+v", in)
	}
	text := b.text(s.Account("5511988880001").JID(), "and?")
	c.call("GET", ana+"inbox?wait=20s&after="+menu, "", 200, &in)
	if len(in) != 1 || in[0].ID != text {
		t.Errorf("beyond the menu: %+v", in)
	}
	c.call("POST", ana+"read", `{"messageId":"`+text+`"}`, 204, nil)
	await(t, b, 0, func(e *events.Receipt) bool { return e.Type == "read" && e.MessageIDs[0] == text })
	c.call("POST", ana+"text", `{"to":"5511999990000","text":"bye"}`, 200, &sent)
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == sent.MessageID })

	if got := c.call("GET", "stanzas?direction=in&tag=message&number=5511999990000&limit=2", "", 200, nil); strings.Count(got, `"seq"`) != 2 || !strings.Contains(got, text) {
		t.Errorf("stanzas: %s", got)
	}
	if got := c.call("GET", "messages/"+menu, "", 200, nil); !strings.Contains(got, `"biz": 1`) || !strings.Contains(got, `"receipts": [`) {
		t.Errorf("record: %s", got)
	}
	if got := c.call("GET", "state", "", 200, nil); !strings.Contains(got, `"unhandled": {}`) {
		t.Errorf("state: %s", got)
	}
	var group struct{ JID string }
	c.call("POST", "groups", `{"subject":"Team","members":["5511988880001","5511999990000"]}`, 201, &group)
	c.call("POST", ana+"text", `{"to":"`+group.JID+`","text":"all of you"}`, 200, &sent)
	await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == sent.MessageID && e.Info.Chat.String() == group.JID })

	at := b.position()
	c.call("POST", ana+"disconnect", "", 204, nil)
	c.call("POST", ana+"connect", "", 204, nil)
	c.call("POST", "accounts/5511999990000/devices/1/logout", "", 204, nil)
	await[*events.LoggedOut](t, b, at, nil)
	if got := c.call("GET", "accounts", "", 200, nil); strings.Count(got, `"index"`) != 2 {
		t.Errorf("accounts: %s", got)
	}
}

func TestControlDisturbs(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	b := open(t, s, "5511999990000")
	b.pair()
	device := "accounts/5511999990000/devices/1/"
	for _, step := range []struct{ action, body string }{{"drop", ""}, {"streamError", `{"code":503}`}} {
		at := b.position()
		c.call("POST", device+step.action, step.body, 204, nil)
		await[*events.Connected](t, b, at, nil)
	}
	at := b.position()
	c.call("POST", device+"replaced", "", 204, nil)
	await[*events.StreamReplaced](t, b, at, nil)

	var rule struct{ ID string }
	c.call("POST", "faults", `{"match":{"stage":"iq","type":"usync"},"times":1,"action":{"iqError":{"code":429}}}`, 201, &rule)
	if got := c.call("GET", "faults", "", 200, nil); !strings.Contains(got, `"hits": 0`) || !strings.Contains(got, rule.ID) {
		t.Errorf("rules: %s", got)
	}
	c.call("DELETE", "faults/"+rule.ID, "", 204, nil)
	c.call("DELETE", "faults/"+rule.ID, "", 404, nil)
	c.call("DELETE", "faults", "", 204, nil)
}

func TestControlRefuses(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	customer(t, s, "5511988880001")
	for _, r := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"POST", "accounts", `{"number":"12"}`, 400, "5 to 15 digits"},
		{"POST", "accounts", `{"numbre":"12"}`, 400, `"pointer": "/numbre"`},
		{"POST", "accounts", `{"number":"5511988880001"}`, 409, "has an account"},
		{"POST", "accounts/1/scan", `{"qr":"x"}`, 404, "POST /sim/v1/accounts makes one"},
		{"POST", "accounts/5511988880001/scan", `{"qr":"x"}`, 400, "not a WhatsApp code"},
		{"POST", "accounts/5511988880001/code", `{"code":"ABCD2345"}`, 409, "no client is waiting"},
		{"POST", "accounts/5511988880001/devices/7/drop", "", 404, "no device 7"},
		{"POST", "accounts/5511988880001/devices/0/jump", "", 404, "there are drop"},
		{"GET", "phones/1/inbox", "", 404, "makes one"},
		{"GET", "phones/5511988880001/inbox?wait=1h", "", 400, "between 0s"},
		{"POST", "phones/5511988880001/click", `{"buttonId":"yes"}`, 404, `no such message with a button`},
		{"POST", "phones/5511988880001/click", `{"buttonId":"yes","shape":"round"}`, 400, `"pointer": "/shape"`},
		{"POST", "phones/5511988880001/text", `{"to":"nobody","text":"x"}`, 400, `"pointer": "/to"`},
		{"POST", "phones/5511988880001/read", `{"messageId":"x"}`, 404, "no message of this id"},
		{"POST", "faults", `{"match":{"stage":"media"},"action":{"ackError":{"code":1}}}`, 400, `"pointer": "/action/ackError"`},
		{"POST", "groups", `{"subject":"x","members":["5511988880001","1"]}`, 400, `"pointer": "/members/1"`},
		{"POST", "groups", `{"subject":"x","members":[]}`, 400, "1 to 1024 members"},
		{"POST", "newsletters", `{"name":"x","owner":"1"}`, 400, `"pointer": "/owner"`},
		{"POST", "newsletters", `{"name":"x","owner":"5511988880001","followers":["1"]}`, 400, `"pointer": "/followers/0"`},
		{"POST", "accounts/5511988880001/passkey", `{"challenge":"AA"}`, 409, "has no passkey"},
		{"GET", "stanzas?direction=sideways", "", 400, "direction must be"},
		{"GET", "messages/unknown", "", 404, "no message of this id"},
		{"GET", "nothing", "", 404, "GET /sim/v1/ lists them"},
	} {
		if got := c.call(r.method, r.path, r.body, r.status, nil); !strings.Contains(got, r.says) {
			t.Errorf("%s %s says %s, want %q", r.method, r.path, got, r.says)
		}
	}
}

// A client that is linked with a passkey, and posts to a channel, all through the control API.
func TestControlPasskeyAndChannel(t *testing.T) {
	s := start(t, wasim.Options{})
	c := control(t, s)
	c.call("POST", "accounts", `{"number":"5511999990000","requirePasskey":true}`, 201, nil)
	c.call("POST", "phones", `{"number":"5511988880001"}`, 201, nil)
	b := attach(t, s, s.Account("5511999990000"))
	options, scanned := b.asked()
	var answer types.WebAuthnResponse
	request, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	c.call("POST", "accounts/5511999990000/passkey", string(request), 200, &answer)
	c.call("POST", "accounts/5511999990000/passkey", `{"challenge":"AA","rpId":"example.com"}`, 400, nil)
	if err := b.cli.SendPasskeyResponse(within(t), &answer); err != nil {
		t.Fatal(err)
	}
	await[*events.PairPasskeyConfirmation](t, b, 0, nil)
	if err := b.cli.SendPasskeyConfirmation(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-scanned; err != nil {
		t.Fatal(err)
	}
	await[*events.Connected](t, b, 0, nil)

	var channel struct{ JID types.JID }
	c.call("POST", "newsletters", `{"name":"Offers","owner":"5511999990000","followers":["5511988880001"]}`, 201, &channel)
	id := b.text(channel.JID, "Two for one")
	var inbox []struct{ ID, Text string }
	c.call("GET", "phones/5511988880001/inbox?wait=20s", "", 200, &inbox)
	if len(inbox) != 1 || inbox[0].ID != id || inbox[0].Text != "Two for one" {
		t.Errorf("the follower reads %+v", inbox)
	}
}
