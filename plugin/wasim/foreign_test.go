package wasim_test

import (
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// become makes the phone's program from the credentials that the control API has given.
func (b *business) become(s *wasim.Server, c wasim.Credentials) {
	b.t.Helper()
	d := b.store.NewDevice()
	signed := [64]byte(c.SignedPreKey.Signature)
	d.NoiseKey, d.IdentityKey = keys.NewKeyPairFromPrivateKey([32]byte(c.NoiseKey)), keys.NewKeyPairFromPrivateKey([32]byte(c.IdentityKey))
	d.SignedPreKey = &keys.PreKey{KeyPair: *keys.NewKeyPairFromPrivateKey([32]byte(c.SignedPreKey.PrivateKey)), KeyID: c.SignedPreKey.ID, Signature: &signed}
	d.RegistrationID, d.AdvSecretKey, d.PushName = c.RegistrationID, c.AdvSecret, c.PushName
	d.ID, d.LID, d.Account = &c.JID, c.LID, new(waAdv.ADVSignedDeviceIdentity)
	if err := proto.Unmarshal(c.Account, d.Account); err != nil {
		b.t.Fatal(err)
	}
	if err := d.Save(within(b.t)); err != nil {
		b.t.Fatal(err)
	}
	if err := d.LIDs.PutLIDMapping(within(b.t), c.LID, c.JID); err != nil {
		b.t.Fatal(err)
	}
	b.use(s, whatsmeow.NewClient(d, nil))
}

// A program of its own is a number's phone: what was sent before it came waits, it is written to, writes, and a client
// can be linked to it.
func TestForeignPhone(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	var credentials wasim.Credentials
	c := control(t, s)
	c.call("POST", "foreign-phones", `{"number":"5511988880001","name":"Bia"}`, 201, &credentials)
	c.call("POST", "foreign-phones", `{"number":"5511988880001"}`, 409, nil)
	early := b.menu(credentials.JID, "Yes", "No")

	account := s.Account("5511988880001")
	bia := stored(t, account)
	bia.become(s, credentials)
	bia.connect()
	got, _ := await(t, bia, 0, func(e *events.Message) bool { return e.Info.ID == early })
	if got.Info.Sender.ToNonAD() != b.account.LID() || got.Message.GetInteractiveMessage() == nil {
		t.Errorf("the menu comes as %+v from %v", got.Message, got.Info.Sender)
	}
	answer := bia.text(b.account.JID(), "yes")
	ev, _ := await(t, b, 0, func(e *events.Message) bool { return e.Info.ID == answer })
	if ev.Info.Sender != credentials.LID || ev.Info.PushName != "Bia" {
		t.Errorf("the answer comes from %v %q, want %v", ev.Info.Sender, ev.Info.PushName, credentials.LID)
	}
	var list []struct{ Number, Kind string }
	c.call("GET", "accounts", "", 200, &list)
	if list[0].Kind != "foreign" {
		t.Errorf("accounts: %+v", list)
	}

	web := attach(t, s, account)
	web.pair()
	if web.device().JID() != types.NewADJID("5511988880001", types.WhatsAppDomain, 1) {
		t.Errorf("the linked client is %v", web.device().JID())
	}
	b.text(credentials.JID, "to the phone") // its ack tells b that there is a new device
	seen := b.text(credentials.JID, "to both")
	for _, each := range []*business{bia, web} {
		await(t, each, 0, func(e *events.Message) bool { return e.Info.ID == seen })
	}
	noUnhandled(t, s)
}
