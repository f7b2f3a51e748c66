package wasim_test

import (
	"encoding/json"
	"testing"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

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
