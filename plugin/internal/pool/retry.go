package pool

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"google.golang.org/protobuf/proto"
)

const retryTimeout = time.Minute // one re-send, with its turn in the queue

// messageForRetry is Client.GetMessageForRetry: whatsmeow itself remembers 256
// messages, and none over a restart.
func (i *Instance) messageForRetry(cli *whatsmeow.Client, chat types.JID, id types.MessageID) *waE2E.Message {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	if sent := i.find(ctx, cli, chat, id); sent != nil {
		return sent.Message
	}
	return nil
}

// find looks a message up under both names of its chat: a send may be under way
// whose LID is not in the ledger yet.
func (i *Instance) find(ctx context.Context, cli *whatsmeow.Client, chat types.JID, id types.MessageID) *Sent {
	sent, err := i.pool.opts.Find(ctx, i.name, chat, id)
	if sent == nil && err == nil {
		var alt types.JID
		if alt, err = cli.Store.GetAltJID(ctx, chat); err == nil && !alt.IsEmpty() {
			sent, err = i.pool.opts.Find(ctx, i.name, alt, id)
		}
	}
	if err != nil {
		i.log.Error("a message to send again could not be read", "error", redact(err.Error()))
		return nil
	}
	return sent
}

// resend answers a retry receipt for a menu or a text, and reports whether it did.
// whatsmeow would answer it too, but without the stanza nodes (handleRetryReceipt
// calls getMessageContent with empty nodeExtraParams), and a menu without its <biz>
// shows no buttons; nor does it wait for a send that moves the same session on. What
// is left to it is media with a caption, whose stanza it builds by the media.
//
// msg is as the recipient must get it: whatsmeow has wrapped it for an own device
// or added the group's sender key.
func (i *Instance) resend(cli *whatsmeow.Client, r *events.Receipt, id types.MessageID, count int, msg *waE2E.Message) bool {
	ctx, cancel := context.WithTimeout(i.ctx, retryTimeout)
	defer cancel()
	sent := i.find(ctx, cli, r.Chat, id)
	if sent == nil || len(sent.Nodes) == 0 && !plain(sent.Message) {
		return false
	}
	if err := i.resendTo(ctx, cli, r, id, count, msg, sent.Nodes); err != nil {
		i.log.Warn("a message could not be sent again to a device that asked for it", "error", redact(err.Error()))
	}
	return true
}

func plain(m *waE2E.Message) bool {
	return m.GetConversation() != "" || m.GetExtendedTextMessage() != nil
}

func (i *Instance) resendTo(ctx context.Context, cli *whatsmeow.Client, r *events.Receipt, id types.MessageID, count int, msg *waE2E.Message, nodes []waBinary.Node) error {
	plaintext, err := proto.Marshal(msg)
	if err != nil {
		return fmt.Errorf("marshal: %w", err)
	}
	release, err := i.take(ctx) // a session must not be used by two encryptions at once
	if err != nil {
		return err
	}
	defer release()
	in := cli.DangerousInternals()
	to, err := encryptionJID(ctx, cli, r.Sender)
	if err != nil {
		return err
	}
	known, err := cli.Store.ContainsSession(ctx, to.SignalAddress())
	if err != nil {
		return fmt.Errorf("look for the session: %w", err)
	}
	var bundle *prekey.Bundle
	if !known || count > 1 { // the session we have did not help
		bundle = in.FetchPreKeysNoError(ctx, []types.JID{r.Sender})[r.Sender]
	}
	enc, withIdentity, err := in.EncryptMessageForDevice(ctx, plaintext, to, bundle, nil, nil)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	enc.Attrs["count"] = count
	content := []waBinary.Node{*enc}
	if withIdentity {
		content = append(content, in.MakeDeviceIdentityNode())
	}
	return in.SendNode(ctx, waBinary.Node{
		Tag:     "message",
		Attrs:   retryAttrs(r, id),
		Content: append(content, nodes...),
	})
}

// retryAttrs addresses one device: in a group through the group, an own device with
// the chat as recipient (the attributes handleRetryReceipt copies from the receipt).
func retryAttrs(r *events.Receipt, id types.MessageID) waBinary.Attrs {
	attrs := waBinary.Attrs{"id": id, "type": "text", "t": r.Timestamp.Unix()}
	switch {
	case r.IsGroup:
		attrs["to"], attrs["participant"] = r.Chat, r.Sender
	case r.IsFromMe:
		attrs["to"], attrs["recipient"], attrs["device_fanout"] = r.Sender, r.Chat, false
	default:
		attrs["to"], attrs["device_fanout"] = r.Sender, false
	}
	return attrs
}

// encryptionJID is the JID a device's Signal session is kept under: the LID form
// when it is known.
func encryptionJID(ctx context.Context, cli *whatsmeow.Client, device types.JID) (types.JID, error) {
	if device.Server != types.DefaultUserServer {
		return device, nil
	}
	lid, err := cli.Store.LIDs.GetLIDForPN(ctx, device)
	if err != nil {
		return types.JID{}, fmt.Errorf("look up the LID: %w", err)
	}
	if lid.IsEmpty() {
		return device, nil
	}
	return lid, nil
}
