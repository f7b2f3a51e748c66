package wasim_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim"
)

func TestIsOnWhatsApp(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	a, err := s.NewAccount("5561988880001", wasim.Aliases("556188880001"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.cli.IsOnWhatsApp(within(t), []string{"+5561988880001", "+556188880001", "+5561977770001"})
	if err != nil {
		t.Fatal(err)
	}
	byQuery := map[string]types.IsOnWhatsAppResponse{}
	for _, r := range got {
		byQuery[r.Query] = r
	}
	for _, q := range []string{"+5561988880001", "+556188880001"} {
		if r := byQuery[q]; !r.IsIn || r.JID != a.LID() || r.PhoneNumber != a.JID() {
			t.Errorf("%s: %+v", q, r)
		}
	}
	if r, ok := byQuery["+5561977770001"]; !ok || r.IsIn {
		t.Errorf("a number without account: %+v", r)
	}
}

func TestUnknownRecipient(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	ctx := within(t)
	msg := &waE2E.Message{Conversation: proto.String("x")}
	_, err := b.cli.SendMessage(ctx, types.NewJID("5511900000000", types.DefaultUserServer), msg)
	if err == nil || !strings.Contains(err.Error(), "no LID found") {
		t.Errorf("unknown number: %v", err)
	}
	_, err = b.cli.SendMessage(ctx, types.NewJID("123456789012345", types.HiddenUserServer), msg)
	if !errors.Is(err, whatsmeow.ErrServerReturnedError) || !strings.HasSuffix(err.Error(), " 479") {
		t.Errorf("unknown LID: %v", err)
	}
}

// Keys run low, the server says so, the client uploads new ones, and no key is handed out twice.
func TestPreKeys(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	ctx := within(t)
	if n := b.device().PreKeys(); n < 800 {
		t.Errorf("%d one-time keys after the first login", n)
	}
	cli := b.cli.DangerousInternals()
	seen := map[uint32]bool{}
	take := func() {
		t.Helper()
		bundles := cli.FetchPreKeysNoError(ctx, []types.JID{b.device().LID()})
		bundle := bundles[b.device().LID()]
		if bundle == nil {
			t.Fatal("no keys of the device")
		}
		if bundle.PreKeyID().IsEmpty {
			return
		}
		if id := bundle.PreKeyID().Value; seen[id] {
			t.Fatalf("key %d handed out twice", id)
		} else {
			seen[id] = true
		}
	}
	take()
	b.device().TrimPreKeys(3)
	for b.device().PreKeys() <= 3 {
		if _, err := b.cli.IsOnWhatsApp(ctx, nil); err != nil { // a round trip, so that the upload can arrive
			t.Fatal(err)
		}
	}
	for range 10 {
		take()
	}
}

// A client changes its signed key: others get the new one, and what they encrypt with it can be read. A key that it has
// not signed is refused, and the good one stays.
func TestRotateSignedKey(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	ctx := within(t)
	b.cli.Disconnect()
	next, at := b.cli.Store.IdentityKey.CreateSignedPreKey(7), b.position()
	b.cli.Store.SignedPreKey = next
	b.connect()
	rotate := func(id uint32, signature []byte) error {
		_, err := b.cli.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
			Namespace: "encrypt", Type: "set", To: types.ServerJID, Content: []waBinary.Node{{Tag: "rotate", Content: []waBinary.Node{{
				Tag: "skey", Content: []waBinary.Node{
					{Tag: "id", Content: []byte{0, 0, byte(id)}}, {Tag: "value", Content: next.Pub[:]}, {Tag: "signature", Content: signature},
				},
			}}}},
		})
		return err
	}
	if err := rotate(next.KeyID, next.Signature[:]); err != nil {
		t.Fatal(err)
	}
	if err := rotate(8, make([]byte, 64)); !errors.Is(err, whatsmeow.ErrIQNotAcceptable) {
		t.Errorf("a key that is not signed: %v", err)
	}
	p := customer(t, s, "5511988880001")
	bundle := p.Client().DangerousInternals().FetchPreKeysNoError(ctx, []types.JID{b.device().LID()})[b.device().LID()]
	if bundle == nil || bundle.SignedPreKeyID() != next.KeyID {
		t.Fatalf("others get %+v, want the signed key %d", bundle, next.KeyID)
	}
	id, err := p.SendText(ctx, b.account.JID(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	await(t, b, at, func(e *events.Message) bool { return e.Info.ID == id })
	noUnhandled(t, s)
}

func TestDigest(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	resp, err := b.cli.DangerousInternals().SendIQ(within(t), whatsmeow.DangerousInfoQuery{
		Namespace: "encrypt", Type: "get", To: types.ServerJID, Content: []waBinary.Node{{Tag: "digest"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	digest := resp.GetChildByTag("digest")
	hash, _ := digest.GetChildByTag("hash").Content.([]byte)
	identity, _ := digest.GetChildByTag("identity").Content.([]byte)
	list := digest.GetChildByTag("list")
	if len(hash) != 20 || !slices.Equal(identity, b.cli.Store.IdentityKey.Pub[:]) || len(list.GetChildren()) != b.device().PreKeys() {
		t.Errorf("digest of %d keys, hash of %d bytes", len(list.GetChildren()), len(hash))
	}
}

func TestUnknownQuery(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	_, err := b.cli.DangerousInternals().SendIQ(within(t), whatsmeow.DangerousInfoQuery{
		Namespace: "w:unheard:of", Type: "get", To: types.ServerJID, Content: []waBinary.Node{{Tag: "thing"}},
	})
	if err != nil {
		t.Fatalf("an unknown query is answered empty, not with %v", err)
	}
	if u := s.Unhandled(); u["iq w:unheard:of thing"] != 1 {
		t.Errorf("unhandled: %v", u)
	}
}

func TestMediaRoundTrip(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	b.pair()
	p := customer(t, s, "5511988880001")
	ctx := within(t)
	image := slices.Repeat([]byte("not really a picture "), 10_000)
	up, err := b.cli.Upload(ctx, image, whatsmeow.MediaImage)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.cli.SendMessage(ctx, p.JID(), &waE2E.Message{ImageMessage: &waE2E.ImageMessage{
		Caption: proto.String("look"), Mimetype: proto.String("image/png"), URL: &up.URL, DirectPath: &up.DirectPath,
		MediaKey: up.MediaKey, FileEncSHA256: up.FileEncSHA256, FileSHA256: up.FileSHA256, FileLength: &up.FileLength,
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.WaitID(ctx, resp.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Client().Download(ctx, m.Message.GetImageMessage())
	if err != nil || !slices.Equal(got, image) || m.Text != "look" {
		t.Errorf("%d bytes came back, caption %q: %v", len(got), m.Text, err)
	}
	noUnhandled(t, s)
}
