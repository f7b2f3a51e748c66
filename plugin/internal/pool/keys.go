package pool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/util/optional"
	"go.mau.fi/whatsmeow"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// fetchKeys asks WhatsApp for the keys that start a session with each device. whatsmeow's own query
// does not return why keys are missing. The error is that of the query, or otherwise names what is
// wrong with the devices that have no bundle.
func fetchKeys(ctx context.Context, cli *whatsmeow.Client, devices []types.JID) (map[types.JID]*prekey.Bundle, error) {
	users := make([]waBinary.Node, len(devices))
	for i, device := range devices {
		users[i] = waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": device, "reason": "identity"}}
	}
	answer, err := cli.DangerousInternals().SendIQ(ctx, whatsmeow.DangerousInfoQuery{
		Namespace: "encrypt", Type: "get", To: types.ServerJID,
		Content: []waBinary.Node{{Tag: "key", Content: users}},
	})
	if err != nil {
		return nil, fmt.Errorf("ask for keys: %w", err)
	}
	bundles := make(map[types.JID]*prekey.Bundle, len(devices))
	list := answer.GetChildByTag("list")
	for _, user := range list.GetChildren() {
		attrs := user.AttrGetter()
		jid := attrs.OptionalJIDOrEmpty("jid")
		bundle, bad := bundleOf(user, jid)
		if bad != nil {
			err = errors.Join(err, bad)
			continue
		}
		bundles[jid] = bundle
	}
	if err == nil && len(bundles) < len(devices) {
		err = errors.New("the answer leaves devices out")
	}
	return bundles, err
}

// bundleOf reads a device's keys from the answer to a query or from its retry receipt.
func bundleOf(node waBinary.Node, device types.JID) (*prekey.Bundle, error) {
	if refused, ok := node.GetOptionalChildByTag("error"); ok {
		attrs := refused.AttrGetter()
		return nil, fmt.Errorf("WhatsApp has no keys of a device (%d)", attrs.OptionalInt("code"))
	}
	all, ok := node.GetOptionalChildByTag("keys")
	if !ok {
		all = node
	}
	signed := all.GetChildByTag("skey")
	registration, okReg := content(node, "registration", 4)
	identityKey, okIdentity := content(all, "identity", 32)
	signedID, okID := content(signed, "id", 3)
	signedKey, okKey := content(signed, "value", 32)
	signature, okSignature := content(signed, "signature", 64)
	if !okReg || !okIdentity || !okID || !okKey || !okSignature {
		return nil, errors.New("the keys of a device are incomplete")
	}
	onceID, onceKey := optional.NewEmptyUint32(), ecc.ECPublicKeyable(nil)
	if once, ok := all.GetOptionalChildByTag("key"); ok {
		id, okID := content(once, "id", 3)
		key, okKey := content(once, "value", 32)
		if !okID || !okKey {
			return nil, errors.New("the one-time key of a device is broken")
		}
		onceID, onceKey = optional.NewOptionalUint32(keyID(id)), ecc.NewDjbECPublicKey([32]byte(key))
	}
	return prekey.NewBundle(
		binary.BigEndian.Uint32(registration), uint32(device.Device), onceID, keyID(signedID), onceKey,
		ecc.NewDjbECPublicKey([32]byte(signedKey)), [64]byte(signature),
		identity.NewKey(ecc.NewDjbECPublicKey([32]byte(identityKey))),
	), nil
}

func content(node waBinary.Node, tag string, size int) ([]byte, bool) {
	b, ok := node.GetChildByTag(tag).Content.([]byte)
	return b, ok && len(b) == size
}

func keyID(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }
