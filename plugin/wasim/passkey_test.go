package wasim_test

import (
	"errors"
	"testing"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// asked connects the client, lets the phone scan its code, and returns what the server then asks for, and the scan.
func (b *business) asked() (*types.WebAuthnPublicKey, <-chan error) {
	b.t.Helper()
	ctx := within(b.t)
	if err := b.cli.Connect(); err != nil {
		b.t.Fatal(err)
	}
	qr, _ := await[*events.QR](b.t, b, 0, nil)
	scanned := make(chan error, 1)
	go func() { scanned <- b.account.Scan(ctx, qr.Codes[0]) }()
	ev, _ := await[*events.PairPasskeyRequest](b.t, b, 0, nil)
	return ev.PublicKey, scanned
}

// A client that shows the scanned code itself needs no comparing of codes.
func TestPasskey(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000", wasim.RequirePasskey())
	ctx := within(t)
	options, scanned := b.asked()
	answer, err := b.account.AnswerPasskey(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cli.SendPasskeyResponse(ctx, answer); err != nil {
		t.Fatal(err)
	}
	if ev, _ := await[*events.PairPasskeyConfirmation](t, b, 0, nil); !ev.SkipHandoffUX || len(ev.Code) != 9 {
		t.Errorf("confirmation: %+v", ev)
	}
	if err := b.cli.SendPasskeyConfirmation(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-scanned; err != nil {
		t.Fatal(err)
	}
	await[*events.PairSuccess](t, b, 0, nil)
	await[*events.Connected](t, b, 0, nil)
	p := customer(t, s, "5511988880001")
	if _, err := p.WaitID(ctx, b.text(p.JID(), "linked")); err != nil {
		t.Error(err)
	}
	noUnhandled(t, s)
}

// After an answer the phone overlooked, the client cannot prove any more which code it showed: people compare codes.
func TestPasskeyCode(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000", wasim.RequirePasskey())
	ctx := within(t)
	b.account.OverlookPasskey(1)
	options, scanned := b.asked()
	for range 2 {
		answer, err := b.account.AnswerPasskey(options)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.cli.SendPasskeyResponse(ctx, answer); err != nil {
			t.Fatal(err)
		}
	}
	ev, _ := await[*events.PairPasskeyConfirmation](t, b, 0, nil)
	shown, err := b.account.PasskeyCode(ctx)
	if err != nil || ev.SkipHandoffUX || ev.Code != shown {
		t.Errorf("the client shows %q (skip %v), the phone %q, %v", ev.Code, ev.SkipHandoffUX, shown, err)
	}
	if err := b.cli.SendPasskeyConfirmation(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-scanned; err != nil {
		t.Error(err)
	}
}

// What an authenticator did not sign, or signed for something else, is refused; the client may answer anew.
func TestPasskeyRefused(t *testing.T) {
	s := start(t, wasim.Options{})
	b := open(t, s, "5511999990000", wasim.RequirePasskey())
	ctx := within(t)
	options, scanned := b.asked()
	replayed := *options
	replayed.Challenge = make([]byte, 32)
	for name, change := range map[string]func(*types.WebAuthnResponse){
		"signature":     func(r *types.WebAuthnResponse) { r.Response.Signature[10] ^= 1 },
		"client data":   func(r *types.WebAuthnResponse) { r.Response.ClientDataJSON[2] ^= 1 },
		"not verified":  func(r *types.WebAuthnResponse) { r.Response.AuthenticatorData[32] = 1 },
		"no site":       func(r *types.WebAuthnResponse) { r.Response.AuthenticatorData = nil },
		"a replay":      func(r *types.WebAuthnResponse) { *r = *must(b.account.AnswerPasskey(&replayed))(t) },
		"another user":  func(r *types.WebAuthnResponse) { (*r.Response.UserHandle)[0] ^= 1 },
		"another key":   func(r *types.WebAuthnResponse) { r.RawID = []byte("x") },
		"another thing": func(r *types.WebAuthnResponse) { r.Type = "password" },
	} {
		answer := must(b.account.AnswerPasskey(options))(t)
		change(answer)
		var refused *whatsmeow.IQError
		if err := b.cli.SendPasskeyResponse(ctx, answer); !errors.As(err, &refused) || refused.Code != 401 {
			t.Errorf("%s: %v", name, err)
		}
	}
	elsewhere := *options
	elsewhere.RelyingPartID = "example.com"
	if _, err := b.account.AnswerPasskey(&elsewhere); !errors.Is(err, wasim.ErrNotThisPasskey) {
		t.Errorf("an answer for another site: %v", err)
	}
	if err := b.cli.SendPasskeyResponse(ctx, must(b.account.AnswerPasskey(options))(t)); err != nil {
		t.Errorf("the true answer: %v", err)
	}
	await[*events.PairPasskeyConfirmation](t, b, 0, nil)
	b.cli.Disconnect()
	if err := <-scanned; err == nil {
		t.Error("the scan of a client that left succeeded")
	}
	plain := open(t, s, "5511999990001")
	if _, err := plain.account.AnswerPasskey(options); !errors.Is(err, wasim.ErrNoPasskey) {
		t.Errorf("an account without a passkey: %v", err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
