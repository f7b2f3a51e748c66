package node

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk/client"

	"github.com/tapnode/tapnode/plugin/internal/send"
)

// pairing is a running connect, and what it shows.
type pairing struct {
	steps  chan passkeyStep
	stages []string // to be read when done
	done   chan error
}

type passkeyStep struct {
	Stage   string
	QR      string
	Code    string
	Passkey *types.WebAuthnPublicKey
}

// connecting starts to pair the shop with an account that has a passkey.
func connecting(w *world) (*pairing, *wasim.Account) {
	w.t.Helper()
	account, err := w.sim.NewAccount(shopNumber, wasim.RequirePasskey())
	w.must(err)
	w.must(w.call("whatsapp.instance.create@1", named{"shop"}, nil))
	p := &pairing{steps: make(chan passkeyStep, 16), done: make(chan error, 1)}
	go func() {
		_, err := w.node.Execute(w.ctx(), client.Request{Operation: "whatsapp.instance.connect@1", Input: raw(w.t, named{"shop"})}, func(m client.Progress) {
			var s passkeyStep
			if err := json.Unmarshal(m.Data, &s); err == nil {
				p.stages = append(p.stages, s.Stage)
				p.steps <- s
			}
		})
		p.done <- err
	}()
	return p, account
}

// until waits for a stage.
func (p *pairing) until(w *world, stage string) passkeyStep {
	w.t.Helper()
	for {
		select {
		case s := <-p.steps:
			if s.Stage == stage {
				return s
			}
		case err := <-p.done:
			w.t.Fatalf("connect ended before %s: %v", stage, err)
		case <-w.ctx().Done():
			w.t.Fatalf("no step %s", stage)
		}
	}
}

// scan lets the phone scan the code shown, and returns the request for the passkey.
func (p *pairing) scan(w *world, account *wasim.Account) *types.WebAuthnPublicKey {
	w.t.Helper()
	qr := p.until(w, "qr").QR
	go func() { _ = account.Scan(w.ctx(), qr) }() // connect shows whether it worked
	return p.until(w, "passkey").Passkey
}

// answer is what docs/passkey.md has the browser do.
func answer(w *world, account *wasim.Account, options *types.WebAuthnPublicKey) obj {
	w.t.Helper()
	r, err := account.AnswerPasskey(options)
	w.must(err)
	var response obj
	unmarshal(w.t, raw(w.t, r), &response)
	return obj{"instance": "shop", "response": response}
}

func TestPairingWithPasskey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	p, account := connecting(w)
	options := p.scan(w, account)
	w.must(w.call("whatsapp.instance.passkey@1", answer(w, account, options), nil))
	w.must(<-p.done)
	if want := []string{"qr", "passkey", "paired", "connecting"}; !slices.Equal(p.stages, want) {
		t.Errorf("stages = %q, want %q", p.stages, want)
	}
	ana := w.customer(anaNumber)
	var out send.Output
	w.must(w.call(send.OpButtons, menuTo(anaNumber), &out))
	if _, err := ana.WaitID(w.ctx(), out.MessageID); err != nil {
		t.Error(err)
	}
}

// TestPasskeyIsConfirmed: the phone missed the first answer, so that people have to compare codes
// after the second.
func TestPasskeyIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	p, account := connecting(w)
	account.OverlookPasskey(1)
	options := p.scan(w, account)
	w.must(w.call("whatsapp.instance.passkey@1", answer(w, account, options), nil))
	w.must(w.call("whatsapp.instance.passkey@1", answer(w, account, options), nil))
	shown, err := account.PasskeyCode(w.ctx())
	w.must(err)
	if code := p.until(w, "confirm").Code; code != shown {
		t.Errorf("the node shows %q, the phone %q", code, shown)
	}
	var one oneInstance
	w.must(w.call("whatsapp.instance.passkey@1", obj{"instance": "shop", "confirm": true}, &one))
	w.must(<-p.done)
	if want := []string{"qr", "passkey", "confirm", "paired", "connecting"}; !slices.Equal(p.stages, want) {
		t.Errorf("stages = %q, want %q", p.stages, want)
	}
}

func TestPasskeyRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, wasim.Options{})
	refused := func(input obj, status int, code string) {
		t.Helper()
		if p := problemOf(t, w.call("whatsapp.instance.passkey@1", input, nil)); p.HTTPStatus != status || p.Code != code || p.Retryable {
			t.Errorf("problem = %+v", p)
		}
	}
	p, account := connecting(w)
	refused(obj{"instance": "shop", "confirm": false}, http.StatusBadRequest, "passkey_required")
	refused(obj{"instance": "other", "confirm": true}, http.StatusNotFound, "not_found")
	options := p.scan(w, account)
	refused(obj{"instance": "shop", "confirm": true}, http.StatusConflict, "passkey_not_asked")

	stale := *options
	stale.Challenge = make([]byte, 32)
	refused(answer(w, account, &stale), http.StatusUnprocessableEntity, "passkey_refused")

	w.must(w.call("whatsapp.instance.passkey@1", answer(w, account, options), nil)) // the same step takes another answer
	w.must(<-p.done)
	refused(obj{"instance": "shop", "confirm": true}, http.StatusConflict, "not_pairing")
}
