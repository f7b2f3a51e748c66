package wasim

import (
	"fmt"

	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Credentials let a program log in as a phone: device 0 of its number. Of each Curve25519 key pair they contain the
// private half, 32 bytes, from which the public half follows. In JSON, bytes are standard base64.
type Credentials struct {
	Number         string          `json:"number"`
	JID            types.JID       `json:"jid"`
	LID            types.JID       `json:"lid"`
	PushName       string          `json:"pushName"`
	NoiseKey       []byte          `json:"noiseKey"`
	IdentityKey    []byte          `json:"identityKey"`
	RegistrationID uint32          `json:"registrationId"`
	SignedPreKey   SignedKeySecret `json:"signedPreKey"`
	AdvSecret      []byte          `json:"advSecret"`
	Account        []byte          `json:"account"` // an ADVSignedDeviceIdentity, protobuf
}

// SignedKeySecret is a signed pre-key with its private half.
type SignedKeySecret struct {
	ID         uint32 `json:"id"`
	PrivateKey []byte `json:"privateKey"`
	Signature  []byte `json:"signature"`
}

// NewForeignPhone creates a number whose phone is neither played by the server nor a Phone, but a program of the caller,
// in any language, that speaks WhatsApp's protocol. The program logs in with the credentials, uploads its one-time keys,
// and then sends and receives messages; messages sent to it before that wait. The server keeps a copy of the keys, so
// that Scan and EnterCode can link clients on behalf of the phone.
func (s *Server) NewForeignPhone(phone string, options ...Option) (*Account, Credentials, error) {
	a, err := s.newAccount(phone, options)
	if err != nil {
		return nil, Credentials{}, err
	}
	countersign(a.keys.Account, a.keys.IdentityKey)
	identity, err := proto.Marshal(a.keys.Account)
	if err != nil {
		return nil, Credentials{}, fmt.Errorf("encode signed device identity: %w", err)
	}
	a.foreign = true
	a.addDevice(&Device{s: s, account: a, jid: a.jid, lid: a.lid, static: *a.keys.NoiseKey.Pub, keys: keyringOf(a.keys)})
	if err := s.register(a); err != nil {
		return nil, Credentials{}, err
	}
	k := a.keys
	return a, Credentials{
		Number: a.phone, JID: a.jid, LID: a.lid, PushName: a.pushName,
		NoiseKey: k.NoiseKey.Priv[:], IdentityKey: k.IdentityKey.Priv[:], RegistrationID: k.RegistrationID,
		SignedPreKey: SignedKeySecret{ID: k.SignedPreKey.KeyID, PrivateKey: k.SignedPreKey.Priv[:], Signature: k.SignedPreKey.Signature[:]},
		AdvSecret:    k.AdvSecretKey, Account: identity,
	}, nil
}
