package noise

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow/proto/waCert"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// validity is how long before and after its creation a certificate is valid, because clocks in tests may be off.
const validity = 10 * 365 * 24 * time.Hour

// Root is a certificate authority for server keys; clients pin its public key.
type Root struct{ key *keys.KeyPair }

// NewRoot creates a root with a new key.
func NewRoot() *Root { return &Root{key: keys.NewKeyPair()} }

// Public is what a client must trust: whatsmeow.WACertPubKey.
func (r *Root) Public() [32]byte { return *r.key.Pub }

// Identity is a server's static key and the chain that vouches for it.
type Identity struct {
	static *ecdh.PrivateKey
	chain  []byte
}

// Issue makes a server identity: root, intermediate (issuer serial 0, as whatsmeow demands of it), leaf.
func (r *Root) Issue() (*Identity, error) {
	static, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make server key: %w", err)
	}
	middle := keys.NewKeyPair()
	intermediate, err := certify(r.key, 1, 0, middle.Pub[:])
	if err != nil {
		return nil, err
	}
	leaf, err := certify(middle, 2, 1, static.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	chain, err := proto.Marshal(&waCert.CertChain{Intermediate: intermediate, Leaf: leaf})
	if err != nil {
		return nil, fmt.Errorf("encode certificate chain: %w", err)
	}
	return &Identity{static: static, chain: chain}, nil
}

func certify(issuer *keys.KeyPair, serial, issuerSerial uint32, key []byte) (*waCert.CertChain_NoiseCertificate, error) {
	now := time.Now()
	details, err := proto.Marshal(&waCert.CertChain_NoiseCertificate_Details{
		Serial:       proto.Uint32(serial),
		IssuerSerial: proto.Uint32(issuerSerial),
		Key:          key,
		NotBefore:    proto.Uint64(uint64(now.Add(-validity).Unix())),
		NotAfter:     proto.Uint64(uint64(now.Add(validity).Unix())),
	})
	if err != nil {
		return nil, fmt.Errorf("encode certificate: %w", err)
	}
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*issuer.Priv), details)
	return &waCert.CertChain_NoiseCertificate{Details: details, Signature: signature[:]}, nil
}
