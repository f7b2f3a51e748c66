package wasim

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
)

// Errors of pairing, as the phone would show them to the owner.
var (
	ErrQR        = errors.New("not a WhatsApp code; scan the one the client shows now")
	ErrQRExpired = errors.New("no client shows this code any more")
)

// Scan scans the QR code that a client shows, as the phone's owner does. It returns when the client has proved its
// device signature and was told to reconnect as a device of this account. With RequirePasskey, the client must be given
// the owner's answer (AnswerPasskey) while Scan waits.
func (a *Account) Scan(ctx context.Context, qr string) error {
	code := qr[strings.IndexByte(qr, '#')+1:] // older clients show it without a URL in front
	parts := strings.Split(code, ",")
	if len(parts) < 4 {
		return ErrQR
	}
	var raw [3][]byte
	for i := range raw {
		var err error
		if raw[i], err = base64.StdEncoding.DecodeString(parts[i+1]); err != nil || len(raw[i]) != 32 {
			return ErrQR
		}
	}
	a.s.mu.RLock()
	c := a.s.waiting[parts[0]]
	a.s.mu.RUnlock()
	if c == nil || c.ctx.Err() != nil { // the connection has ended and is about to be removed
		return ErrQRExpired
	}
	if subtle.ConstantTimeCompare(raw[0], c.reg.static[:]) != 1 || subtle.ConstantTimeCompare(raw[1], c.reg.identity[:]) != 1 {
		return fmt.Errorf("%w: its keys are not those of the client", ErrQR)
	}
	if a.cfg.passkey != nil {
		return a.linkByPasskey(ctx, c, raw[2])
	}
	return a.link(ctx, c, raw[2])
}

// link makes the client of a connection a device of the account. Only the client and the phone know secret.
func (a *Account) link(ctx context.Context, c *conn, secret []byte) error {
	d, err := a.newLinked(c.reg)
	if err != nil {
		return err
	}
	signed, err := a.certify(&c.reg.identity, uint32(d.jid.Device))
	if err != nil {
		return err
	}
	sealed, err := seal(signed, secret)
	if err != nil {
		return err
	}
	success := []waBinary.Node{
		{Tag: "device-identity", Content: sealed},
		{Tag: "device", Attrs: waBinary.Attrs{"jid": d.jid, "lid": d.lid}},
		{Tag: "platform", Attrs: waBinary.Attrs{"name": a.platform()}},
	}
	if a.cfg.business {
		success = append(success, waBinary.Node{Tag: "biz", Attrs: waBinary.Attrs{"name": a.cfg.pushName}})
	}
	answer, err := c.ask(ctx, waBinary.Node{Tag: "pair-success", Content: success}, waBinary.Attrs{"t": time.Now().Unix()})
	if err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	sign := answer.GetChildByTag("pair-device-sign")
	if err := verifyDevice(signed, payload(&sign, "device-identity"), c.reg.identity); err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	a.addDevice(d)
	a.announceDevices(d)
	c.bye(streamError(515, ""))
	return nil
}

func (a *Account) platform() string {
	if a.cfg.business {
		return "smba"
	}
	return "android"
}

func (a *Account) newLinked(reg *registration) (*Device, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	const highest = 99 // the wire carries one byte, WhatsApp uses two digits
	switch {
	case len(*a.list.Load()) > a.s.opts.Limits.Devices:
		return nil, fmt.Errorf("%w: %d linked devices", ErrTooMany, a.s.opts.Limits.Devices)
	case a.next > highest:
		return nil, fmt.Errorf("%w: all device numbers of the account are used up", ErrTooMany)
	}
	d := &Device{s: a.s, account: a, jid: a.jid, lid: a.lid, static: reg.static}
	d.jid.Device, d.lid.Device = a.next, a.next
	d.keys.registration, d.keys.identity, d.keys.signed = reg.keys.registration, reg.keys.identity, reg.keys.signed
	a.next++
	return d, nil
}

// announceDevices sends the current device list to the account's linked devices, except one. Other accounts learn of
// the change from the phash in the ack of their next message.
func (a *Account) announceDevices(except *Device) {
	devices := *a.list.Load()
	jids := make([]types.JID, len(devices))
	content := make([]waBinary.Node, len(devices))
	for i, d := range devices {
		jids[i] = d.jid
		content[i] = waBinary.Node{Tag: "device", Attrs: waBinary.Attrs{"jid": d.jid, "key-index": uint32(d.jid.Device)}}
	}
	for _, d := range devices {
		if d != except && !d.played {
			d.notify("account_sync", a.jid, nil, waBinary.Node{
				Tag: "devices", Attrs: waBinary.Attrs{"dhash": participantHash(jids)}, Content: content,
			})
		}
	}
}

// notify queues a notification for the device.
func (d *Device) notify(kind string, from types.JID, extra waBinary.Attrs, content ...waBinary.Node) {
	id := d.s.nextID()
	attrs := waBinary.Attrs{"from": from, "type": kind, "id": id, "t": time.Now().Unix()}
	for k, v := range extra {
		attrs[k] = v
	}
	d.deliver(&queued{class: "notification", id: id, from: from, node: waBinary.Node{Tag: "notification", Attrs: attrs, Content: content}})
}

// Adopt links a device that the calling program has made (sqlstore.Container.NewDevice) without the pairing exchange,
// for tests that need hundreds of devices. It fills the device as a pairing would, stores it with its Save, and puts
// a few one-time keys on the server, so that the first login does not make 812.
func (a *Account) Adopt(ctx context.Context, client *store.Device) (*Device, error) {
	ring := keyringOf(client)
	d, err := a.newLinked(&registration{static: *client.NoiseKey.Pub, keys: &ring})
	if err != nil {
		return nil, err
	}
	client.Account, err = a.certify(client.IdentityKey.Pub, uint32(d.jid.Device))
	if err != nil {
		return nil, err
	}
	countersign(client.Account, client.IdentityKey)
	jid := d.jid
	client.ID, client.LID, client.Platform = &jid, d.lid, a.platform()
	if err := client.Save(ctx); err != nil {
		return nil, err
	}
	keys, err := client.PreKeys.GetOrGenPreKeys(ctx, phoneKeys)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		d.keys.oneTime = append(d.keys.oneTime, keyNode("key", k))
	}
	if err := client.PreKeys.MarkPreKeysAsUploaded(ctx, keys[len(keys)-1].KeyID); err != nil {
		return nil, err
	}
	if err := client.Identities.PutIdentity(ctx, a.lid.SignalAddress().String(), [32]byte(client.Account.AccountSignatureKey)); err != nil {
		return nil, err
	}
	if err := client.LIDs.PutLIDMapping(ctx, a.lid, a.jid); err != nil {
		return nil, err
	}
	a.addDevice(d)
	a.announceDevices(d)
	return d, nil
}
