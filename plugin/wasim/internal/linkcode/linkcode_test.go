package linkcode

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// companion is the other side in the least code; whatsmeow itself plays it in the tests of package wasim.
type companion struct {
	t                   *testing.T
	code                string
	ephemeral, identity *keys.KeyPair
}

func newCompanion(t *testing.T, code string) *companion {
	return &companion{t: t, code: code, ephemeral: keys.NewKeyPair(), identity: keys.NewKeyPair()}
}

func (c *companion) must(out []byte, err error) []byte {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *companion) hello() waBinary.Node {
	salt, iv := make([]byte, saltLength), make([]byte, ivLength)
	rand.Read(salt)
	rand.Read(iv)
	sealed := c.must(crypt(c.code, salt, iv, c.ephemeral.Pub[:]))
	return waBinary.Node{Tag: Tag,
		Attrs: waBinary.Attrs{"stage": StageHello, "jid": types.NewJID("5511987654321", types.DefaultUserServer), "should_show_push_notification": "true"},
		Content: []waBinary.Node{
			{Tag: "link_code_pairing_wrapped_companion_ephemeral_pub", Content: slices.Concat(salt, iv, sealed)},
			{Tag: "companion_server_auth_key_pub", Content: make([]byte, 32)},
			{Tag: "companion_platform_id", Content: []byte("1")},
			{Tag: "companion_platform_display", Content: []byte("Chrome (Linux)")},
			{Tag: "link_code_pairing_nonce", Content: []byte{0}},
		}}
}

// finish answers the phone's hello and returns the ADV secret the companion will expect.
func (c *companion) finish(primary waBinary.Node) (waBinary.Node, [32]byte) {
	locked, phone := content(primary, "link_code_pairing_wrapped_primary_ephemeral_pub"), content(primary, "primary_identity_pub")
	peer := c.must(crypt(c.code, locked[:saltLength], locked[saltLength:saltLength+ivLength], locked[saltLength+ivLength:]))
	shared := c.must(agree(c.ephemeral, peer))
	out := make([]byte, saltLength+gcmNonce)
	random := make([]byte, keyLength)
	rand.Read(out)
	rand.Read(random)
	block, err := aes.NewCipher(c.must(hkdf.Key(sha256.New, shared, out[:saltLength], "link_code_pairing_key_bundle_encryption_key", keyLength)))
	if err != nil {
		c.t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		c.t.Fatal(err)
	}
	plain := append(append(append([]byte{}, c.identity.Pub[:]...), phone...), random...)
	out = gcm.Seal(out, out[saltLength:], plain, nil)
	secret := append(append(shared, c.must(agree(c.identity, phone))...), random...)
	adv := c.must(hkdf.Key(sha256.New, secret, nil, "adv_secret", keyLength))
	return waBinary.Node{Tag: Tag, Attrs: waBinary.Attrs{"stage": StageFinish}, Content: []waBinary.Node{
		{Tag: "link_code_pairing_wrapped_key_bundle", Content: out},
		{Tag: "companion_identity_public", Content: c.identity.Pub[:]},
		{Tag: "link_code_pairing_ref", Content: content(primary, "link_code_pairing_ref")},
	}}, [32]byte(adv)
}

// start brings a pairing to the point where the user types.
func start(t *testing.T, c *companion) *Pairing {
	t.Helper()
	hello, err := ParseHello(c.hello())
	if err != nil {
		t.Fatal(err)
	}
	p := New(hello)
	if len(content(p.HelloResult(), "link_code_pairing_ref")) == 0 {
		t.Fatal("the result carries no reference")
	}
	return p
}

func TestBothSidesDeriveTheSameSecret(t *testing.T) {
	c, phone := newCompanion(t, "ABCD2345"), keys.NewKeyPair()
	p := start(t, c)
	if p.Hello.Phone != "5511987654321" || p.Hello.Display != "Chrome (Linux)" || !p.Hello.Push {
		t.Fatalf("read hello %+v", p.Hello)
	}
	primary, err := p.Enter(" abcd-2345 ", phone)
	if err != nil {
		t.Fatal(err)
	}
	last, want := c.finish(primary)
	f, err := ParseFinish(last)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Finish(f)
	if err != nil {
		t.Fatal(err)
	}
	if got.ADVSecret != want || got.Identity != *c.identity.Pub {
		t.Fatal("the two sides disagree")
	}
}

func TestMistypedCodeCanBeCorrected(t *testing.T) {
	c, phone := newCompanion(t, "ABCD2345"), keys.NewKeyPair()
	p := start(t, c)
	for _, try := range []struct {
		code string
		want error
	}{{"ABCD2346", ErrWrongCode}, {"ABCD2345", nil}} {
		primary, err := p.Enter(try.code, phone)
		if err != nil {
			t.Fatal(err)
		}
		last, _ := c.finish(primary)
		f, err := ParseFinish(last)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Finish(f); !errors.Is(err, try.want) {
			t.Fatalf("after %s: %v, want %v", try.code, err, try.want)
		}
	}
}

func TestFinishRefusesStrangers(t *testing.T) {
	c, phone := newCompanion(t, "ABCD2345"), keys.NewKeyPair()
	p := start(t, c)
	if _, err := p.Finish(Finish{}); !errors.Is(err, ErrOrder) {
		t.Fatalf("finish before the code: %v", err)
	}
	primary, err := p.Enter("ABCD2345", phone)
	if err != nil {
		t.Fatal(err)
	}
	last, _ := c.finish(primary)
	f, err := ParseFinish(last)
	if err != nil {
		t.Fatal(err)
	}
	other := f
	other.Ref = []byte("another")
	if _, err := p.Finish(other); !errors.Is(err, ErrRef) {
		t.Fatalf("foreign reference: %v", err)
	}
	other = f
	other.Identity[0] ^= 1
	if _, err := p.Finish(other); err == nil {
		t.Fatal("an identity key that the bundle does not name was taken")
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{"abcd-2345": "ABCD2345", "ABCD 2345": "ABCD2345", "ABCD234": "", "ABCD234O": "", "ABCD-23456": "", "": ""} {
		got, err := normalize(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("normalize(%q) = %q, %v", in, got, err)
		}
	}
}

func TestParseHelloRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*waBinary.Node)
		want string
	}{
		{"stage", func(n *waBinary.Node) { n.Attrs["stage"] = "other" }, "stage=companion_hello"},
		{"jid", func(n *waBinary.Node) { n.Attrs["jid"] = "5511" }, "jid"},
		{"short key", func(n *waBinary.Node) { n.GetChildren()[0].Content = []byte{1} }, "80 bytes, not 1"},
		{"no noise key", func(n *waBinary.Node) { n.GetChildren()[1].Tag = "x" }, "companion_server_auth_key_pub"},
		{"platform", func(n *waBinary.Node) { n.GetChildren()[2].Content = []byte("??") }, "companion_platform_id"},
		{"display", func(n *waBinary.Node) { n.GetChildren()[3].Content = []byte("my server") }, "Browser (OS)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newCompanion(t, "ABCD2345").hello()
			c.edit(&n)
			if _, err := ParseHello(n); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzStanza feeds both parsers with stanzas of arbitrary content: nothing may panic, and what is accepted can be used.
func FuzzStanza(f *testing.F) {
	f.Add(StageHello, "5511987654321", "Chrome (Linux)", "1", make([]byte, lockedKey), make([]byte, 32), []byte("ref"))
	f.Add(StageFinish, "", "", "", make([]byte, saltLength+gcmNonce+bundle+gcmTag), make([]byte, 32), []byte{})
	f.Fuzz(func(t *testing.T, stage, user, shown, id string, long, short, ref []byte) {
		n := waBinary.Node{Tag: Tag, Attrs: waBinary.Attrs{"stage": stage, "jid": types.NewJID(user, types.DefaultUserServer)},
			Content: []waBinary.Node{
				{Tag: "link_code_pairing_wrapped_companion_ephemeral_pub", Content: long},
				{Tag: "companion_server_auth_key_pub", Content: short},
				{Tag: "companion_platform_id", Content: id},
				{Tag: "companion_platform_display", Content: []byte(shown)},
				{Tag: "link_code_pairing_wrapped_key_bundle", Content: long},
				{Tag: "companion_identity_public", Content: short},
				{Tag: "link_code_pairing_ref", Content: ref},
			}}
		if h, err := ParseHello(n); err == nil {
			if _, err := New(h).Enter("ABCD2345", keys.NewKeyPair()); err != nil {
				t.Fatalf("accepted %+v but cannot use it: %v", h, err)
			}
		}
		if fin, err := ParseFinish(n); err == nil && len(fin.Ref) != len(ref) {
			t.Fatalf("accepted %+v", fin)
		}
	})
}
