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

const retryTimeout = time.Minute // one re-send, including its wait for the turn

// messageForRetry is Client.GetMessageForRetry: whatsmeow itself remembers only 256 messages, and
// none across a restart.
func (i *Instance) messageForRetry(cli *whatsmeow.Client, chat types.JID, id types.MessageID) *waE2E.Message {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	if sent := i.find(ctx, cli, chat, id); sent != nil {
		return sent.Message
	}
	return nil
}

// find looks a message up under both addresses of its chat, because the ledger may not yet have the
// LID of a send in progress.
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

// copyFor is a copy of one of our messages for one device: a device that asked for it again, or one
// that it could not be encrypted for.
type copyFor struct {
	receipt *events.Receipt // names the device and the chat, as a retry receipt does
	id      types.MessageID
	count   int            // how often the device has asked; 0: never
	keys    *prekey.Bundle // keys sent with the retry receipt; nil: none
	body    []byte         // marshalled in the form this device must get
	message *waE2E.Message // as first sent
	nodes   []waBinary.Node
}

// resend answers a retry receipt for one of our messages, and reports whether it did. whatsmeow's
// own answer would omit the stanza nodes (handleRetryReceipt calls getMessageContent with empty
// nodeExtraParams), and a menu without its <biz> node shows no buttons. Nor does whatsmeow wait for
// a send that is advancing the same session.
//
// msg is in the form the recipient must get: whatsmeow has wrapped it for an own device or added
// the group's sender key.
func (i *Instance) resend(cli *whatsmeow.Client, r *events.Receipt, id types.MessageID, count int, msg *waE2E.Message) bool {
	ctx, cancel := context.WithTimeout(i.ctx, retryTimeout)
	defer cancel()
	sent := i.find(ctx, cli, r.Chat, id)
	if sent == nil {
		return false
	}
	c := copyFor{receipt: r, id: id, count: count, message: sent.Message, nodes: sent.Nodes}
	var err error
	if node := i.asking.take(r.Sender, id); node != nil {
		if c.keys, err = bundleOf(*node, r.Sender); err != nil {
			i.log.Warn("the keys of a device that asked for a message again are broken", "error", redact(err.Error()))
		}
	}
	if c.body, err = proto.Marshal(msg); err == nil {
		err = i.deliver(ctx, cli, c)
	}
	if err != nil {
		i.log.Warn("a message could not be sent again to a device that asked for it", "error", redact(err.Error()))
		i.again(c)
	}
	return true
}

// deliver sends a copy in the instance's turn, because two encryptions must not use a session at
// the same time.
func (i *Instance) deliver(ctx context.Context, cli *whatsmeow.Client, c copyFor) error {
	release, err := i.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	in, device := cli.DangerousInternals(), c.receipt.Sender
	to, err := encryptionJID(ctx, cli, device)
	if err != nil {
		return err
	}
	bundle := c.keys
	if bundle == nil {
		known, err := cli.Store.ContainsSession(ctx, to.SignalAddress())
		if err != nil {
			return fmt.Errorf("look for the session: %w", err)
		}
		if !known || c.count > 1 { // the existing session did not help
			bundles, err := fetchKeys(ctx, cli, []types.JID{device})
			if bundle = bundles[device]; bundle == nil && !known {
				return err
			}
		}
	}
	mediaType := mediaTypeOf(c.message)
	attrs := waBinary.Attrs{}
	if mediaType != "" {
		attrs["mediatype"] = mediaType
	}
	enc, withIdentity, err := in.EncryptMessageForDevice(ctx, c.body, to, bundle, attrs, nil)
	if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	if c.count > 0 {
		enc.Attrs["count"] = c.count
	}
	content := []waBinary.Node{*enc}
	if withIdentity {
		content = append(content, in.MakeDeviceIdentityNode())
	}
	return in.SendNode(ctx, waBinary.Node{
		Tag:     "message",
		Attrs:   retryAttrs(c.receipt, c.id, mediaType),
		Content: append(content, c.nodes...),
	})
}

// mediaTypeOf returns the stanza's media type for a message with a file, and "" for others. The
// picture above a menu does not count.
func mediaTypeOf(m *waE2E.Message) string {
	if inner := m.GetDocumentWithCaptionMessage().GetMessage(); inner != nil {
		m = inner
	}
	switch {
	case m.GetImageMessage() != nil:
		return "image"
	case m.GetVideoMessage() != nil:
		return "video"
	case m.GetDocumentMessage() != nil:
		return "document"
	}
	return ""
}

// retryAttrs addresses one device: a group member through the group, an own device with the chat as
// recipient (the attributes handleRetryReceipt copies from the receipt).
func retryAttrs(r *events.Receipt, id types.MessageID, mediaType string) waBinary.Attrs {
	attrs := waBinary.Attrs{"id": id, "type": "text", "t": r.Timestamp.Unix()}
	if mediaType != "" {
		attrs["type"] = "media"
	}
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

// encryptionJID is the JID under which a device's Signal session is kept: its LID if that is known.
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
	cli.DangerousInternals().MigrateSessionStore(ctx, device, lid)
	return lid, nil
}
