package passkey

import (
	"encoding/json"
	"errors"
	"testing"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// begin opens a pairing and gives the browser's answer to it. whatsmeow itself plays the companion in the tests of
// package wasim.
func begin(t testing.TB) (*Pairing, *types.WebAuthnResponse) {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	p := New(key, make([]byte, 32))
	node, err := p.Options()
	if err != nil {
		t.Fatal(err)
	}
	var options types.WebAuthnPublicKey
	if err := json.Unmarshal(node.Content.([]byte), &options); err != nil {
		t.Fatal(err)
	}
	answer, err := key.Answer(&options)
	if err != nil {
		t.Fatal(err)
	}
	return p, answer
}

func prologue(t testing.TB, answer *types.WebAuthnResponse, payload, proof []byte) *waBinary.Node {
	t.Helper()
	assertion, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	content := []waBinary.Node{
		{Tag: "credential_id", Content: []byte(answer.RawID)}, {Tag: "webauthn_assertion", Content: assertion}, {Tag: "prologue_payload", Content: payload},
	}
	if proof != nil {
		content = append(content, waBinary.Node{Tag: "pairing_handoff_proof", Content: proof})
	}
	return &waBinary.Node{Tag: TagPrologue, Content: content}
}

func TestOrder(t *testing.T) {
	p, _ := begin(t)
	if _, err := p.Continue(); !errors.Is(err, ErrOrder) {
		t.Errorf("the phone goes on before an answer: %v", err)
	}
	if err := p.Nonce(make([]byte, 32)); !errors.Is(err, ErrOrder) {
		t.Errorf("a nonce before the phone's word: %v", err)
	}
	if _, err := p.Finish(nil); !errors.Is(err, ErrOrder) {
		t.Errorf("keys before the nonce: %v", err)
	}
	if err := p.Prologue(&waBinary.Node{Tag: TagPrologue}); !errors.Is(err, ErrPrologue) {
		t.Errorf("an empty prologue: %v", err)
	}
}

// FuzzPrologue sends what a companion could, behind a true assertion: nothing of it goes through without the reference
// that was given out, and nothing panics.
func FuzzPrologue(f *testing.F) {
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add([]byte("\x0a\x28\x0a\x20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x10\x01\x1a\x02no\x12\x22\x0a\x20bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), []byte("proof"), []byte("nonce"))
	p, answer := begin(f)
	f.Fuzz(func(t *testing.T, payload, proof, sealed []byte) {
		p.Ref()
		if err := p.Prologue(prologue(t, answer, payload, proof)); err == nil {
			t.Fatal("a prologue without the reference was taken")
		}
		if p.Nonce(sealed) == nil {
			t.Fatal("a nonce was taken")
		}
		if _, err := p.Finish(sealed); err == nil {
			t.Fatal("keys were taken")
		}
	})
}
