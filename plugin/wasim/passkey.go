package wasim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/wasim/internal/linkcode"
	"github.com/tapnode/tapnode/plugin/wasim/internal/passkey"
)

// Errors of passkeys.
var (
	ErrNoPasskey = errors.New("the account has no passkey; make it with RequirePasskey")
	ErrLinking   = errors.New("the client is being linked already")
	// ErrNotThisPasskey means that the request is not for the account's passkey, or not from WhatsApp.
	ErrNotThisPasskey = passkey.ErrNoCredential
)

// ownerPasskey is an account's passkey and what its owner does with it.
type ownerPasskey struct {
	key *passkey.Key

	mu       sync.Mutex
	overlook int    // number of valid answers the phone still ignores
	code     string // the code that the phone shows
}

// RequirePasskey makes the account's owner answer with a passkey whenever a client is linked by QR code.
func RequirePasskey() Option { return func(c *accountConfig) { c.passkey = &ownerPasskey{} } }

// AnswerPasskey touches the authenticator, as the owner does in a browser to which WhatsApp's page has given these
// options. It returns the result of navigator.credentials.get.
func (a *Account) AnswerPasskey(options *types.WebAuthnPublicKey) (*types.WebAuthnResponse, error) {
	if a.cfg.passkey == nil {
		return nil, ErrNoPasskey
	}
	return a.cfg.passkey.key.Answer(options)
}

// OverlookPasskey makes the phone ignore the next n valid answers, so that the client has to answer again.
func (a *Account) OverlookPasskey(n int) {
	if k := a.cfg.passkey; k != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.overlook = n
	}
}

// PasskeyCode waits for the code that the phone shows, for its owner to compare with the client's. The phone
// shows one only when the client could not prove that the scanned QR code was its own, as after an ignored answer.
func (a *Account) PasskeyCode(ctx context.Context) (string, error) {
	k := a.cfg.passkey
	if k == nil {
		return "", ErrNoPasskey
	}
	var code string
	err := a.wait(ctx, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		code = k.code
		return code != ""
	})
	return code, err
}

// overlooked reports whether to ignore this answer, and counts it against OverlookPasskey.
func (k *ownerPasskey) overlooked() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.overlook == 0 {
		return false
	}
	k.overlook--
	return true
}

// passkeyPairing is a client that must answer with a passkey. It ends with Scan, at the latest with the connection.
type passkeyPairing struct {
	account *Account

	mu       sync.Mutex // guards the exchange
	exchange *passkey.Pairing
	answered chan struct{} // a valid answer has come
	done     chan passkey.Result
}

// linkByPasskey is Scan for an account with a passkey.
func (a *Account) linkByPasskey(ctx context.Context, c *conn, secret []byte) error {
	p := &passkeyPairing{
		account: a, exchange: passkey.New(a.cfg.passkey.key, secret),
		answered: make(chan struct{}, 1), done: make(chan passkey.Result, 1),
	}
	if !c.passkey.CompareAndSwap(nil, p) {
		return ErrLinking
	}
	defer c.passkey.Store(nil)
	options, err := p.exchange.Options()
	if err != nil {
		return err
	}
	c.notify("passkey_prologue_request", options)
	for {
		select {
		case <-p.answered:
			if a.cfg.passkey.overlooked() {
				continue
			}
			p.mu.Lock()
			identity, err := p.exchange.Continue()
			p.mu.Unlock()
			if err != nil {
				return err
			}
			c.notify("crsc_continuation", identity)
		case r := <-p.done:
			if r.Noise != c.reg.static || r.Identity != c.reg.identity {
				return fmt.Errorf("pair: %w", errDeviceSignature)
			}
			return a.link(ctx, c, r.ADVSecret[:])
		case <-c.ctx.Done():
			return errNoAnswer
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// notify sends a notification to a client that has no queue yet.
func (c *conn) notify(kind string, content waBinary.Node) {
	c.send(waBinary.Node{
		Tag:     "notification",
		Attrs:   waBinary.Attrs{"from": types.ServerJID, "type": kind, "id": c.s.nextID(), "t": time.Now().Unix()},
		Content: []waBinary.Node{content},
	})
}

// onUnpaired answers the queries of a client that is not paired yet.
func onUnpaired(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	what := first(iq)
	if what.Tag == linkcode.Tag {
		return onLinkCode(c, iq)
	}
	if text(iq, "xmlns") == "w:p" {
		return onPing(c, iq) // keep-alive of a client whose pairing takes long
	}
	p := c.passkey.Load()
	if p == nil {
		return nil, errNotMine
	}
	content, err := p.answer(iq, what)
	switch {
	case errors.Is(err, passkey.ErrAssertion): // WhatsApp's own code for it is not known
		c.s.log.Warn("passkey refused", "err", err)
		return nil, &IQError{Code: 401, Text: "not-authorized"}
	case err != nil:
		c.s.log.Warn("passkey stanza refused", "err", err)
		return nil, &IQError{Code: 400, Text: "bad-request"}
	}
	return content, nil
}

func (p *passkeyPairing) answer(iq, what *waBinary.Node) ([]waBinary.Node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch what.Tag {
	case passkey.TagOptions:
		options, err := p.exchange.Options()
		return []waBinary.Node{options}, err
	case passkey.TagRef:
		return []waBinary.Node{p.exchange.Ref()}, nil
	case passkey.TagPrologue:
		if err := p.exchange.Prologue(what); err != nil {
			return nil, err
		}
		select {
		case p.answered <- struct{}{}:
		default: // one is waiting; it goes on with the newest
		}
		return nil, nil
	case passkey.TagNonce:
		err := p.exchange.Nonce(payload(iq, what.Tag))
		p.account.showCode(p.exchange.Code())
		return nil, err
	case passkey.TagRequest:
		r, err := p.exchange.Finish(payload(iq, what.Tag))
		if err == nil {
			select {
			case p.done <- r:
			default: // a repetition
			}
		}
		return nil, err
	}
	return nil, fmt.Errorf("%w: %s", passkey.ErrOrder, what.Tag)
}

func (a *Account) showCode(code string) {
	a.cfg.passkey.mu.Lock()
	a.cfg.passkey.code = code
	a.cfg.passkey.mu.Unlock()
	a.changed()
}
