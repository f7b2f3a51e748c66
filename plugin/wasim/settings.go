package wasim

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/libsignal/session"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/store"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/wasim/internal/appstate"
)

// syncSettings answers a query for the account's settings and notifies its other devices of what the query changed.
func (a *Account) syncSettings(ctx context.Context, asking *Device, sync waBinary.Node) []waBinary.Node {
	answer, changes := a.state.Sync(ctx, sync)
	for _, change := range changes {
		a.announceChange(change, asking)
	}
	return []waBinary.Node{answer}
}

func (a *Account) announceChange(change appstate.Change, except *Device) {
	for _, d := range *a.list.Load() {
		if d != except && d.jid.Device != 0 {
			d.notify("server_sync", a.jid, nil, change.Node())
		}
	}
}

// welcome sends a newly linked device, in the phone's name, the key to the account's settings, from which the device
// learns the push name.
func (a *Account) welcome(d *Device) {
	if err := a.sendPeer(a.s.ctx, d, a.state.KeyShare()); err != nil {
		a.s.log.Warn("the phone could not send its keys to a linked device", "err", err)
	}
}

// sendPeer sends a message in the phone's name to one device of the same account. If a Phone runs, both it and the
// server use its sessions; if they collide on one, the device asks for the message again, as after any lost session.
func (a *Account) sendPeer(ctx context.Context, d *Device, msg *waE2E.Message) error {
	plain, err := proto.Marshal(msg)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	a.peer.Lock()
	defer a.peer.Unlock()
	to := d.lid.SignalAddress()
	builder := session.NewBuilderFromSignal(a.keys, to, store.SignalProtobufSerializer)
	if known, err := a.keys.ContainsSession(ctx, to); err != nil {
		return err
	} else if !known {
		bundle, err := d.keys.preKeyBundle(uint32(d.lid.Device))
		if err != nil {
			return err
		}
		if err := builder.ProcessBundle(ctx, bundle); err != nil {
			return fmt.Errorf("start session: %w", err)
		}
	}
	const padding = 1 // one byte of padding, with the value 1
	sealed, err := session.NewCipher(builder, to).Encrypt(ctx, append(plain, padding))
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	identity, err := proto.Marshal(a.keys.Account)
	if err != nil {
		return fmt.Errorf("encode device identity: %w", err)
	}
	id := a.s.nextID()
	d.deliver(&queued{class: "message", id: id, from: a.jid, node: waBinary.Node{
		Tag:   "message",
		Attrs: waBinary.Attrs{"from": a.jid, "id": id, "t": time.Now().Unix(), "type": "text", "category": "peer", "notify": a.name()},
		Content: []waBinary.Node{
			{Tag: "enc", Attrs: waBinary.Attrs{"v": "2", "type": encType(sealed.Type())}, Content: sealed.Serialize()},
			{Tag: "device-identity", Content: identity},
		},
	}})
	return nil
}

// mediaConn names this server as the only media host.
func (s *Server) mediaConn(host string) waBinary.Node { return s.media.MediaConn(host) }
