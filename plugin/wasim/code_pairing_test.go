package wasim_test

import (
	"context"
	"errors"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// code connects the client and asks for a link code.
func (b *business) code(ctx context.Context) string {
	b.t.Helper()
	if err := b.cli.Connect(); err != nil {
		b.t.Fatal(err)
	}
	await[*events.QR](b.t, b, 0, nil)
	code, err := b.cli.PairPhone(ctx, b.account.Phone(), true, whatsmeow.PairClientChrome, "Chrome (Linux)")
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

func TestPairByCode(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000", wasim.PushName("Shop"))
	ctx := within(t)
	code := b.code(ctx)
	if err := b.account.EnterCode(ctx, code); err != nil {
		t.Fatal(err)
	}
	await[*events.PairSuccess](t, b, 0, nil)
	await[*events.Connected](t, b, 0, nil)
	await(t, b, 0, func(e *events.AppStateSyncComplete) bool { return e.Name == "critical_block" })
	if err := b.cli.SendPresence(ctx, types.PresenceAvailable); err != nil {
		t.Errorf("presence after pairing: %v", err)
	}
	p := customer(t, s, "5511988880001")
	if _, err := p.WaitID(ctx, b.text(p.JID(), "linked")); err != nil {
		t.Fatal(err)
	}
	if err := b.account.EnterCode(ctx, code); !errors.Is(err, wasim.ErrNoCode) {
		t.Errorf("the same code again: %v", err)
	}
	noUnhandled(t, s)
}

// A client that takes long to be paired sends keep-alives meanwhile.
func TestKeepAliveBeforePairing(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	ctx := within(t)
	code := b.code(ctx)
	_, err := b.cli.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{Namespace: "w:p", Type: "get", To: types.ServerJID})
	if err != nil {
		t.Errorf("keep-alive: %v", err)
	}
	if err := b.account.EnterCode(ctx, code); err != nil {
		t.Fatal(err)
	}
	await[*events.Connected](t, b, 0, nil)
	noUnhandled(t, s)
}

func TestMistypedCode(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	ctx := within(t)
	if err := b.account.EnterCode(ctx, "ABCD-2345"); !errors.Is(err, wasim.ErrNoCode) {
		t.Errorf("before any client asks: %v", err)
	}
	code := b.code(ctx)
	if err := b.account.EnterCode(ctx, "short"); !errors.Is(err, wasim.ErrCodeShape) {
		t.Errorf("malformed: %v", err)
	}
	wrong := "1" + code[1:]
	if code[0] == '1' {
		wrong = "2" + code[1:]
	}
	if err := b.account.EnterCode(ctx, wrong); !errors.Is(err, wasim.ErrWrongCode) {
		t.Errorf("mistyped: %v", err)
	}
	if err := b.account.EnterCode(ctx, code); err != nil {
		t.Errorf("corrected: %v", err)
	}
	await[*events.Connected](t, b, 0, nil)
}

func TestCodeRequestsThatAreRefused(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000")
	ctx := within(t)
	b.code(ctx)
	if _, err := b.cli.PairPhone(ctx, b.account.Phone(), true, whatsmeow.PairClientChrome, "my server"); !errors.Is(err, whatsmeow.ErrIQBadRequest) {
		t.Errorf("display name of another form: %v", err)
	}
	if _, err := b.cli.PairPhone(ctx, "5511900000009", true, whatsmeow.PairClientChrome, "Chrome (Linux)"); !errors.Is(err, whatsmeow.ErrIQNotFound) {
		t.Errorf("number without an account: %v", err)
	}
}
