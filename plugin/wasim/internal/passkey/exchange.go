// Package passkey is WhatsApp's side of linking a client to an account with a passkey: the account's authenticator, the
// server that checks its answer, and the phone that then agrees on keys with the client.
//
// The exchange, as whatsmeow's pair-passkey.go expects of its counterpart; it follows the scan of a QR code:
//
//	server     passkey_request_options   which passkey, and a challenge
//	companion  ref                       asks for a reference
//	companion  passkey_prologue          the browser's assertion, its ephemeral key, a commitment to a nonce, and a proof
//	                                     that it showed the scanned code
//	phone      primary_ephemeral_identity  its own ephemeral key and nonce
//	companion  companion_nonce           opens the commitment; both ends now know a code of eight characters to compare
//	companion  encrypted_pairing_request its keys and the ADV secret, under which pair-success is signed
//
// Pairings are values without goroutines, timers or shared state, and not safe for concurrent use.
package passkey

import (
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waCompanionReg"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/gcmutil"
	"go.mau.fi/whatsmeow/util/hkdfutil"
	"google.golang.org/protobuf/proto"
)

// Tags of the companion's queries, and of what the phone sends back.
const (
	TagOptions  = "passkey_request_options"
	TagRef      = "ref"
	TagPrologue = "passkey_prologue"
	TagNonce    = "companion_nonce"
	TagRequest  = "encrypted_pairing_request"

	tagIdentity = "primary_ephemeral_identity"
)

const keyLength = 32

// Errors of an exchange.
var (
	ErrOrder    = errors.New("passkey stanza out of order")
	ErrPrologue = errors.New("passkey_prologue is not valid")
	ErrNonce    = errors.New("companion_nonce is not the one committed to")
	ErrRequest  = errors.New("encrypted_pairing_request does not open")
)

// alphabet is that of link codes (whatsmeow pair-code.go, linkingBase32).
var alphabet = base32.NewEncoding("123456789ABCDEFGHJKLMNPQRSTVWXYZ")

// Pairing is one attempt of one companion.
type Pairing struct {
	key       *Key
	challenge []byte
	handoff   []byte // proves that the companion showed the code that was scanned
	ref       string

	prologue   []byte // the companion's ephemeral identity, as it was sent
	commitment []byte
	companion  *waCompanionReg.CompanionEphemeralIdentity
	proven     bool

	ephemeral *ecdh.PrivateKey // set by Continue
	nonce     []byte
	sealed    []byte // the key of the pairing request, set by Nonce
	code      string
}

// Result is what a finished pairing knows about the companion.
type Result struct{ Noise, Identity, ADVSecret [32]byte }

// New opens a pairing for a companion whose QR code carried the secret.
func New(key *Key, secret []byte) *Pairing {
	p := &Pairing{key: key, challenge: make([]byte, keyLength)}
	rand.Read(p.challenge)
	p.handoff = hkdfutil.SHA256(secret, nil, []byte("shortcake-passkey-handoff-v1"), keyLength)
	return p
}

// Options returns what the server asks the companion for.
func (p *Pairing) Options() (waBinary.Node, error) {
	content, err := p.key.options(p.challenge)
	return waBinary.Node{Tag: TagOptions, Content: content}, err
}

// Ref returns a new reference for the companion's next prologue.
func (p *Pairing) Ref() waBinary.Node {
	raw := make([]byte, 18)
	rand.Read(raw)
	p.ref = base64.RawURLEncoding.EncodeToString(raw)
	return waBinary.Node{Tag: TagRef, Content: []byte(p.ref)}
}

// Prologue takes the browser's answer. A later one replaces it.
func (p *Pairing) Prologue(n *waBinary.Node) error {
	part := func(tag string) []byte {
		c := n.GetChildByTag(tag)
		b, _ := c.Content.([]byte)
		return b
	}
	var answer types.WebAuthnResponse
	if json.Unmarshal(part("webauthn_assertion"), &answer) != nil || !slices.Equal(part("credential_id"), answer.RawID) {
		return fmt.Errorf("%w: assertion", ErrPrologue)
	}
	if err := p.key.verify(&answer, p.challenge); err != nil {
		return err
	}
	var payload waCompanionReg.ProloguePayload
	var identity waCompanionReg.CompanionEphemeralIdentity
	raw := part("prologue_payload")
	if proto.Unmarshal(raw, &payload) != nil || proto.Unmarshal(payload.GetCompanionEphemeralIdentity(), &identity) != nil ||
		len(identity.GetPublicKey()) != keyLength || len(payload.GetCommitment().GetHash()) != sha256.Size {
		return fmt.Errorf("%w: payload", ErrPrologue)
	}
	if p.ref == "" || identity.GetRef() != p.ref {
		return fmt.Errorf("%w: ref", ErrPrologue)
	}
	proof := part("pairing_handoff_proof")
	if proof != nil {
		mac := hmac.New(sha256.New, p.handoff)
		mac.Write(raw)
		if !hmac.Equal(proof, mac.Sum(nil)) {
			return fmt.Errorf("%w: handoff proof", ErrPrologue)
		}
	}
	p.ref, p.companion, p.prologue = "", &identity, payload.GetCompanionEphemeralIdentity()
	p.commitment, p.proven, p.ephemeral = payload.GetCommitment().GetHash(), proof != nil, nil
	return nil
}

// Continue returns the phone's answer to a prologue.
func (p *Pairing) Continue() (waBinary.Node, error) {
	if p.companion == nil {
		return waBinary.Node{}, ErrOrder
	}
	var err error
	if p.ephemeral, err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
		return waBinary.Node{}, fmt.Errorf("make an ephemeral key: %w", err)
	}
	p.nonce = make([]byte, keyLength)
	rand.Read(p.nonce)
	content, err := proto.Marshal(&waCompanionReg.PrimaryEphemeralIdentity{PublicKey: p.ephemeral.PublicKey().Bytes(), Nonce: p.nonce})
	return waBinary.Node{Tag: tagIdentity, Content: content}, err
}

// Nonce opens the companion's commitment.
func (p *Pairing) Nonce(nonce []byte) error {
	if p.ephemeral == nil {
		return ErrOrder
	}
	if opened := sha256.Sum256(slices.Concat(p.prologue, nonce)); !hmac.Equal(opened[:], p.commitment) {
		return ErrNonce
	}
	peer, err := ecdh.X25519().NewPublicKey(p.companion.GetPublicKey())
	if err != nil {
		return fmt.Errorf("%w: public key", ErrPrologue)
	}
	shared, err := p.ephemeral.ECDH(peer)
	if err != nil {
		return fmt.Errorf("%w: public key", ErrPrologue)
	}
	salt := fmt.Sprintf("Companion Pairing %d with ref %s", p.companion.GetDeviceType(), p.companion.GetRef())
	p.sealed = hkdfutil.SHA256(shared, []byte(salt), []byte("Pairing Information Encryption Key"), keyLength)
	digest := sha256.Sum256(slices.Concat(nonce, p.ephemeral.PublicKey().Bytes()))
	code := make([]byte, 5)
	for i := range code {
		code[i] = p.nonce[i] ^ digest[i]
	}
	text := alphabet.EncodeToString(code)
	p.code = text[:4] + "-" + text[4:]
	return nil
}

// Code is the code the phone shows for comparison; empty when there is none yet, and when nothing has to be compared
// because the companion has proved that it showed the scanned QR code.
func (p *Pairing) Code() string {
	if p.proven {
		return ""
	}
	return p.code
}

// Finish takes the companion's keys.
func (p *Pairing) Finish(content []byte) (Result, error) {
	if p.sealed == nil {
		return Result{}, ErrOrder
	}
	var box waCompanionReg.EncryptedPairingRequest
	var request waCompanionReg.PairingRequest
	if proto.Unmarshal(content, &box) != nil || len(box.GetIV()) != 12 {
		return Result{}, ErrRequest
	}
	plain, err := gcmutil.Decrypt(p.sealed, box.GetIV(), box.GetEncryptedPayload(), nil)
	if err != nil || proto.Unmarshal(plain, &request) != nil {
		return Result{}, ErrRequest
	}
	var r Result
	for to, from := range map[*[32]byte][]byte{
		&r.Noise: request.GetCompanionPublicKey(), &r.Identity: request.GetCompanionIdentityKey(), &r.ADVSecret: request.GetAdvSecret(),
	} {
		if len(from) != keyLength {
			return Result{}, ErrRequest
		}
		copy(to[:], from)
	}
	return r, nil
}
