// Package linkcode is the phone's side of «link with phone number instead»: a companion shows eight characters, the
// user types them on the phone, and both derive the secret that authenticates the pairing.
//
// The exchange, as whatsmeow's pair-code.go expects of its counterpart:
//
//	companion  companion_hello   its ephemeral key, locked with the code
//	server     link_code_pairing_ref
//	phone      primary_hello     (Enter) its own ephemeral key, locked with the code, and its identity key
//	companion  companion_finish  its identity key and a random part, sealed for the shared secret
//	phone                        (Finish) the ADV secret, under which pair-success is signed as after a QR code
//
// A key is locked by AES-256-CTR under PBKDF2-SHA-256 of the code, so a wrong code is noticed by nobody before Finish,
// where the seal does not open. Pairings are values without goroutines, timers or shared state; the caller routes the
// stanzas, holds one Pairing per connection and drops it when it expires.
package linkcode

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/util/keys"
)

const (
	alphabet   = "123456789ABCDEFGHJKLMNPQRSTVWXYZ" // whatsmeow pair-code.go, linkingBase32
	codeLength = 8
	iterations = 2 << 16
	keyLength  = 32
	saltLength = 32
	ivLength   = 16
	lockedKey  = saltLength + ivLength + keyLength
	gcmNonce   = 12
	gcmTag     = 16
	bundle     = 3 * keyLength // companion identity, phone identity, random part
)

// Errors of a pairing. The texts are what the simulated phone shows.
var (
	ErrCodeShape = errors.New("a link code is eight letters and digits, without 0, I, O and U")
	ErrWrongCode = errors.New("the link code does not fit the companion; type the one it shows now")
	ErrOrder     = errors.New("link code stanza out of order")
	ErrRef       = errors.New("link_code_pairing_ref is not the one of this pairing")
)

// Pairing is one attempt of one companion.
type Pairing struct {
	Hello Hello
	ref   []byte

	ephemeral *ecdh.PrivateKey // set by Enter
	peer      *ecdh.PublicKey  // the companion's ephemeral key as the typed code unlocked it
	identity  *keys.KeyPair    // the phone's
}

// Result is what a finished pairing knows about the companion.
type Result struct {
	Identity  [32]byte // the companion's identity key
	ADVSecret [32]byte // key of the HMAC over the device identity in pair-success
}

// New opens a pairing for a companion's hello under a fresh reference.
func New(hello Hello) *Pairing {
	ref := make([]byte, 18)
	rand.Read(ref)
	return &Pairing{Hello: hello, ref: []byte(base64.RawURLEncoding.EncodeToString(ref))}
}

// normalize brings a typed code to the form the key is derived from: upper case, without dash and spaces.
func normalize(code string) (string, error) {
	code = strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(code))
	if len(code) != codeLength || strings.Trim(code, alphabet) != "" {
		return "", ErrCodeShape
	}
	return code, nil
}

// Enter is the user typing the code on the phone that owns identity. It returns the <link_code_companion_reg> to hand
// the companion in a notification of that type. A second Enter replaces the first.
func (p *Pairing) Enter(code string, identity *keys.KeyPair) (waBinary.Node, error) {
	code, err := normalize(code)
	if err != nil {
		return waBinary.Node{}, err
	}
	opened, err := crypt(code, p.Hello.Locked[:saltLength], p.Hello.Locked[saltLength:saltLength+ivLength], p.Hello.Locked[saltLength+ivLength:])
	if err != nil {
		return waBinary.Node{}, err
	}
	peer, err := ecdh.X25519().NewPublicKey(opened)
	if err != nil {
		return waBinary.Node{}, fmt.Errorf("companion ephemeral key: %w", err)
	}
	ephemeral, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return waBinary.Node{}, fmt.Errorf("phone ephemeral key: %w", err)
	}
	locked := make([]byte, saltLength+ivLength, lockedKey)
	rand.Read(locked)
	sealed, err := crypt(code, locked[:saltLength], locked[saltLength:], ephemeral.PublicKey().Bytes())
	if err != nil {
		return waBinary.Node{}, err
	}
	p.ephemeral, p.peer, p.identity = ephemeral, peer, identity
	return primaryHello(p.ref, append(locked, sealed...), identity.Pub[:]), nil
}

// Finish takes the companion's last stanza. ErrWrongCode means that the user has mistyped: the pairing stays open and
// Enter may be called again.
func (p *Pairing) Finish(f Finish) (Result, error) {
	if p.ephemeral == nil {
		return Result{}, ErrOrder
	}
	if subtle.ConstantTimeCompare(f.Ref, p.ref) != 1 {
		return Result{}, ErrRef
	}
	shared, err := p.ephemeral.ECDH(p.peer)
	if err != nil {
		return Result{}, ErrWrongCode
	}
	random, err := p.open(f, shared)
	if err != nil {
		return Result{}, err
	}
	identityShared, err := agree(p.identity, f.Identity[:])
	if err != nil {
		return Result{}, fmt.Errorf("companion identity key: %w", err)
	}
	secret := append(append(shared, identityShared...), random...)
	adv, err := hkdf.Key(sha256.New, secret, nil, "adv_secret", keyLength)
	if err != nil {
		return Result{}, fmt.Errorf("derive ADV secret: %w", err)
	}
	return Result{Identity: f.Identity, ADVSecret: [32]byte(adv)}, nil
}

// open unseals the key bundle, checks that it speaks of these two identities and returns its random part.
func (p *Pairing) open(f Finish, shared []byte) ([]byte, error) {
	salt, nonce, sealed := f.Bundle[:saltLength], f.Bundle[saltLength:saltLength+gcmNonce], f.Bundle[saltLength+gcmNonce:]
	key, err := hkdf.Key(sha256.New, shared, salt, "link_code_pairing_key_bundle_encryption_key", keyLength)
	if err != nil {
		return nil, fmt.Errorf("derive bundle key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("bundle cipher: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("bundle cipher: %w", err)
	}
	plain, err := gcm.Open(nil, nonce, sealed, nil)
	if err != nil {
		return nil, ErrWrongCode
	}
	if [32]byte(plain[:keyLength]) != f.Identity || [32]byte(plain[keyLength:2*keyLength]) != *p.identity.Pub {
		return nil, errors.New("key bundle names other identity keys than the stanzas")
	}
	return plain[2*keyLength:], nil
}

// crypt locks or unlocks a key with a code.
func crypt(code string, salt, iv, in []byte) ([]byte, error) {
	key, err := pbkdf2.Key(sha256.New, code, salt, iterations, keyLength)
	if err != nil {
		return nil, fmt.Errorf("derive key from link code: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("link code cipher: %w", err)
	}
	out := make([]byte, len(in))
	cipher.NewCTR(block, iv).XORKeyStream(out, in)
	return out, nil
}

// agree is X25519 with a key in whatsmeow's form.
func agree(private *keys.KeyPair, public []byte) ([]byte, error) {
	priv, err := ecdh.X25519().NewPrivateKey(private.Priv[:])
	if err != nil {
		return nil, err
	}
	pub, err := ecdh.X25519().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	return priv.ECDH(pub)
}
