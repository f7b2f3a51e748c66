package wasim

import (
	"encoding/binary"
	"fmt"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/util/optional"
	waBinary "go.mau.fi/whatsmeow/binary"
)

// preKeyBundle takes a one-time key, if there is one, and returns what starts a session with the device.
func (k *keyring) preKeyBundle(device uint32) (*prekey.Bundle, error) {
	content, _ := k.bundle()
	if content == nil {
		return nil, fmt.Errorf("%w: the device has uploaded none", errKeys)
	}
	n := &waBinary.Node{Content: content}
	signed, once := child(n, "skey"), child(n, "key")
	id, public := optional.NewEmptyUint32(), ecc.ECPublicKeyable(nil)
	if once != nil {
		id = optional.NewOptionalUint32(keyID(once))
		public = ecc.NewDjbECPublicKey([32]byte(payload(once, "value")))
	}
	return prekey.NewBundle(
		binary.BigEndian.Uint32(payload(n, "registration")), device, id, keyID(signed), public,
		ecc.NewDjbECPublicKey([32]byte(payload(signed, "value"))), [64]byte(payload(signed, "signature")),
		identity.NewKey(ecc.NewDjbECPublicKey([32]byte(payload(n, "identity")))),
	), nil
}

func keyID(n *waBinary.Node) uint32 {
	return binary.BigEndian.Uint32(append([]byte{0}, payload(n, "id")...))
}

func encType(kind uint32) string {
	if kind == protocol.PREKEY_TYPE {
		return "pkmsg"
	}
	return "msg"
}
