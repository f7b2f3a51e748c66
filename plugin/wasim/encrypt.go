package wasim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/libsignal/keys/identity"
	"go.mau.fi/libsignal/keys/prekey"
	"go.mau.fi/libsignal/protocol"
	"go.mau.fi/libsignal/util/optional"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/types"
)

// fewKeys is how many one-time keys are left when the server asks a device for more. whatsmeow then uploads some.
const fewKeys = 4

// onEncrypt handles the keys from which others start sessions: it takes uploads and a new signed key, answers with the
// count or the digest of a device's own keys, and hands out those of others.
func onEncrypt(c *conn, iq *waBinary.Node) ([]waBinary.Node, *IQError) {
	if text(iq, "type") == "set" {
		var err error
		switch {
		case child(iq, "list") != nil:
			err = c.dev.keys.upload(iq, c.s.opts.Limits.PreKeys)
		case child(iq, "rotate") != nil:
			err = c.dev.keys.rotate(child(child(iq, "rotate"), "skey"))
		default:
			return nil, errNotMine
		}
		if err != nil {
			return nil, &IQError{Code: 406, Text: "not-acceptable"}
		}
		return nil, nil
	}
	switch what := first(iq); what.Tag {
	case "count":
		return []waBinary.Node{countNode(c.dev.keys.count())}, nil
	case "digest":
		digest := c.dev.keys.digest()
		if digest == nil {
			return nil, &IQError{Code: 404, Text: "item-not-found"}
		}
		return digest, nil
	case "key":
		return []waBinary.Node{{Tag: "list", Content: c.s.bundles(what.GetChildren())}}, nil
	}
	return nil, errNotMine
}

func countNode(n int) waBinary.Node {
	return waBinary.Node{Tag: "count", Attrs: waBinary.Attrs{"value": n}}
}

func (s *Server) bundles(asked []waBinary.Node) []waBinary.Node {
	out := make([]waBinary.Node, 0, len(asked))
	for i := range asked {
		jid := address(&asked[i], "jid")
		if jid.User == "" {
			continue // an empty user in an answer breaks other clients' decoders
		}
		user := waBinary.Node{Tag: "user", Attrs: waBinary.Attrs{"jid": jid, "t": time.Now().Unix()}}
		content, left := []waBinary.Node(nil), 0
		d := s.deviceOf(jid)
		if d != nil {
			content, left = d.keys.bundle()
		}
		if content == nil {
			content = []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": 404, "text": "item-not-found"}}}
		} else if left == fewKeys {
			d.lowOnKeys(left)
		}
		user.Content = content
		out = append(out, user)
	}
	return out
}

// lowOnKeys asks the device to upload more keys.
func (d *Device) lowOnKeys(left int) {
	d.notify("encrypt", types.ServerJID, nil, countNode(left))
}

// deviceOf returns the device of a JID, or nil.
func (s *Server) deviceOf(jid types.JID) *Device {
	if a := s.find(jid); a != nil {
		return a.device(jid.Device)
	}
	return nil
}

// preKeyBundle returns the keys that start a session with the device. It takes one of the one-time keys, if there are any.
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

// participantHash returns the hash of a device list (version 2), with which clients compare their own list.
func participantHash(devices []types.JID) string {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d.ADString()
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "")))
	return "2:" + base64.RawStdEncoding.EncodeToString(sum[:6])
}
