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
)

// Errors of pairing with a code, as the owner would see them on the phone.
var (
	ErrNoCode    = errors.New("no client is waiting to be linked to this number with a code")
	ErrCodeShape = linkcode.ErrCodeShape
	ErrWrongCode = linkcode.ErrWrongCode
)

// codePairing is a client that shows an eight-character code. It ends with the client's connection.
type codePairing struct {
	conn    *conn
	account *Account
	since   time.Time

	mu       sync.Mutex // guards the exchange
	exchange *linkcode.Pairing
	done     chan codeOutcome // for the EnterCode in progress
}

type codeOutcome struct {
	result linkcode.Result
	err    error
}

// EnterCode types the code that a client shows after «link with phone number», as the phone's owner does. It returns
// when the client was told to reconnect as a device of this account. After ErrWrongCode it can be called again.
func (a *Account) EnterCode(ctx context.Context, code string) error {
	p := a.waitingForCode()
	if p == nil {
		return ErrNoCode
	}
	hello, done, err := p.enter(a, code)
	if err != nil {
		return err
	}
	p.conn.notify(linkcode.Tag, hello)
	select {
	case out := <-done:
		if out.err != nil {
			return out.err
		}
		return a.link(ctx, p.conn, out.result.ADVSecret[:])
	case <-p.conn.ctx.Done():
		return errNoAnswer
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitingForCode returns the client that asked for a code last.
func (a *Account) waitingForCode() *codePairing {
	a.s.mu.RLock()
	defer a.s.mu.RUnlock()
	var newest *codePairing
	for _, p := range a.s.codes {
		if p.account == a && (newest == nil || p.since.After(newest.since)) {
			newest = p
		}
	}
	return newest
}

func (p *codePairing) enter(a *Account, code string) (waBinary.Node, <-chan codeOutcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	hello, err := p.exchange.Enter(code, a.keys.IdentityKey)
	if err != nil {
		return hello, nil, err
	}
	p.done = make(chan codeOutcome, 1)
	return hello, p.done, nil
}

// onLinkCode answers the queries of a client that is linking with a code.
func onLinkCode(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	reg := first(iq)
	if reg.Tag != linkcode.Tag || c.reg == nil {
		return nil, errNotMine
	}
	switch text(reg, "stage") {
	case linkcode.StageHello:
		return c.codeHello(reg)
	case linkcode.StageFinish:
		return nil, c.codeFinish(reg)
	case linkcode.StageCountry:
		return []waBinary.Node{linkcode.CountryResult("BR")}, nil
	}
	return nil, &IQError{Code: 400, Text: "bad-request"}
}

func (c *conn) codeHello(reg *waBinary.Node) ([]waBinary.Node, *IQError) {
	hello, err := linkcode.ParseHello(*reg)
	if err == nil && hello.NoiseKey != c.reg.static {
		err = errors.New("companion_server_auth_key_pub is not the connection's key")
	}
	if err != nil {
		c.s.log.Warn("link code hello refused", "err", err)
		return nil, &IQError{Code: 400, Text: "bad-request"}
	}
	a := c.s.find(types.NewJID(hello.Phone, types.DefaultUserServer))
	if a == nil {
		return nil, &IQError{Code: 404, Text: "item-not-found"}
	}
	p := &codePairing{conn: c, account: a, since: time.Now(), exchange: linkcode.New(hello)}
	c.s.mu.Lock()
	c.s.codes[c] = p
	c.s.mu.Unlock()
	return []waBinary.Node{p.exchange.HelloResult()}, nil
}

func (c *conn) codeFinish(reg *waBinary.Node) *IQError {
	finish, err := linkcode.ParseFinish(*reg)
	if err != nil {
		c.s.log.Warn("link code finish refused", "err", err)
		return &IQError{Code: 400, Text: "bad-request"}
	}
	c.s.mu.RLock()
	p := c.s.codes[c]
	c.s.mu.RUnlock()
	if p == nil {
		return &IQError{Code: 404, Text: "item-not-found"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	result, err := p.exchange.Finish(finish)
	if err == nil && result.Identity != c.reg.identity {
		err = fmt.Errorf("pair: %w", errDeviceSignature)
	}
	if p.done == nil {
		return &IQError{Code: 400, Text: "bad-request"}
	}
	p.done <- codeOutcome{result, err}
	p.done = nil
	return nil
}
