package wasim

import (
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"hash"
	"slices"
	"sync"

	"go.mau.fi/libsignal/ecc"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/util/keys"
)

// keyring holds the public Signal keys of one device that others fetch.
type keyring struct {
	mu           sync.Mutex
	registration []byte // 4 bytes
	identity     []byte // 32 bytes
	signed       waBinary.Node
	oneTime      []waBinary.Node // handed out from the front, each only once
}

var errKeys = errors.New("keys are not valid")

func keyringOf(d *store.Device) keyring {
	registration := make([]byte, 4)
	binary.BigEndian.PutUint32(registration, d.RegistrationID)
	return keyring{registration: registration, identity: d.IdentityKey.Pub[:], signed: keyNode("skey", d.SignedPreKey)}
}

func keyNode(tag string, k *keys.PreKey) waBinary.Node {
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], k.KeyID)
	content := []waBinary.Node{{Tag: "id", Content: id[1:]}, {Tag: "value", Content: k.Pub[:]}}
	if k.Signature != nil {
		content = append(content, waBinary.Node{Tag: "signature", Content: k.Signature[:]})
	}
	return waBinary.Node{Tag: tag, Content: content}
}

// checkSigned refuses a signed key whose signature is not its owner's, because no client could use it.
func checkSigned(identity []byte, n *waBinary.Node) error {
	id, value, signature := payload(n, "id"), payload(n, "value"), payload(n, "signature")
	if len(identity) != 32 || len(id) != 3 || len(value) != 32 || len(signature) != 64 {
		return errKeys
	}
	signed := append([]byte{ecc.DjbType}, value...)
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey([32]byte(identity)), signed, [64]byte(signature)) {
		return errKeys
	}
	return nil
}

// upload adds the keys of an <iq xmlns=encrypt type=set>. Keys whose ids are known are not stored again.
func (k *keyring) upload(iq *waBinary.Node, limit int) error {
	registration, identity, signed := payload(iq, "registration"), payload(iq, "identity"), child(iq, "skey")
	if len(registration) != 4 || signed == nil {
		return errKeys
	}
	if err := checkSigned(identity, signed); err != nil {
		return err
	}
	list := iq.GetChildByTag("list")
	for _, key := range list.GetChildren() {
		if len(payload(&key, "id")) != 3 || len(payload(&key, "value")) != 32 {
			return errKeys
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.oneTime)+len(list.GetChildren()) > limit {
		return errKeys
	}
	known := make(map[string]bool, len(k.oneTime))
	for i := range k.oneTime {
		known[string(payload(&k.oneTime[i], "id"))] = true
	}
	k.registration, k.identity, k.signed = registration, identity, *signed
	for _, key := range list.GetChildren() {
		if id := string(payload(&key, "id")); !known[id] {
			known[id] = true
			k.oneTime = append(k.oneTime, key)
		}
	}
	return nil
}

// rotate replaces the signed key.
func (k *keyring) rotate(signed *waBinary.Node) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if signed == nil || k.identity == nil {
		return errKeys
	}
	if err := checkSigned(k.identity, signed); err != nil {
		return err
	}
	k.signed = *signed
	return nil
}

// bundle returns the keys for one other device, with a one-time key if any is left, and how many are left after that.
func (k *keyring) bundle() (content []waBinary.Node, left int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.identity == nil {
		return nil, 0
	}
	content = []waBinary.Node{
		{Tag: "registration", Content: k.registration},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: k.identity},
	}
	if len(k.oneTime) > 0 {
		content = append(content, k.oneTime[0])
		k.oneTime = k.oneTime[1:]
	}
	return append(content, k.signed), len(k.oneTime)
}

func (k *keyring) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.oneTime)
}

func (k *keyring) trim(keep int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.oneTime = slices.Clone(k.oneTime[:min(max(keep, 0), len(k.oneTime))])
}

// digest returns the summary with which a client compares its own keys.
func (k *keyring) digest() []waBinary.Node {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.identity == nil {
		return nil
	}
	ids := make([]waBinary.Node, len(k.oneTime))
	sum := keySum(k.identity, &k.signed)
	for i := range k.oneTime {
		ids[i] = waBinary.Node{Tag: "id", Content: payload(&k.oneTime[i], "id")}
		sum.Write(payload(&k.oneTime[i], "value"))
	}
	return []waBinary.Node{{Tag: "digest", Content: []waBinary.Node{
		{Tag: "registration", Content: k.registration},
		{Tag: "type", Content: []byte{ecc.DjbType}},
		{Tag: "identity", Content: k.identity},
		k.signed,
		{Tag: "list", Content: ids},
		{Tag: "hash", Content: sum.Sum(nil)},
	}}}
}

// keySum returns a SHA-1 hash that has been fed the identity, the signed key and its signature. The one-time keys follow.
func keySum(identity []byte, signed *waBinary.Node) hash.Hash {
	h := sha1.New()
	h.Write(identity)
	h.Write(payload(signed, "value"))
	h.Write(payload(signed, "signature"))
	return h
}
