// Package noise is the server's side of WhatsApp's transport: frames with a three-byte length, the handshake
// Noise_XX_25519_AESGCM_SHA256 as responder, and AES-256-GCM frames after it.
//
// Accept proves to the client who the server is (a certificate chain under a Root) and learns the client's static key
// and first payload. The Conn it returns carries whole frames; a frame that is longer than the limit, out of order or
// altered ends it with an error, and nothing after it is read.
//
// Sources: noiseprotocol.org revision 34, whatsmeow's socket package and handshake.go for what differs: the prologue is
// the connection header, names and certificates are protobufs (waWa6.HandshakeMessage, waCert.CertChain).
package noise

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// pattern is exactly one hash long, so by the specification it is the first hash itself.
const pattern = "Noise_XX_25519_AESGCM_SHA256\x00\x00\x00\x00"

const tagSize = 16

// state is the symmetric state of a handshake.
type state struct {
	hash    [sha256.Size]byte
	salt    []byte
	aead    cipher.AEAD
	counter uint32
}

func newState(prologue []byte) (*state, error) {
	s := &state{hash: [sha256.Size]byte([]byte(pattern))}
	s.salt = []byte(pattern)
	aead, err := gcm(s.hash[:])
	if err != nil {
		return nil, err
	}
	s.aead = aead
	s.mixHash(prologue)
	return s, nil
}

func (s *state) mixHash(data []byte) {
	h := sha256.New()
	h.Write(s.hash[:])
	h.Write(data)
	h.Sum(s.hash[:0])
}

// mixKey mixes the Diffie-Hellman result of two keys into the cipher.
func (s *state) mixKey(private *ecdh.PrivateKey, public *ecdh.PublicKey) error {
	secret, err := private.ECDH(public)
	if err != nil {
		return fmt.Errorf("agree on key: %w", err)
	}
	salt, key, err := s.derive(secret)
	if err != nil {
		return err
	}
	s.salt, s.counter = salt, 0
	s.aead, err = gcm(key)
	return err
}

// split ends the handshake: the first key is the client's sending key.
func (s *state) split() (fromClient, toClient cipher.AEAD, err error) {
	first, second, err := s.derive(nil)
	if err != nil {
		return nil, nil, err
	}
	if fromClient, err = gcm(first); err != nil {
		return nil, nil, err
	}
	toClient, err = gcm(second)
	return fromClient, toClient, err
}

func (s *state) derive(secret []byte) (first, second []byte, err error) {
	both, err := hkdf.Key(sha256.New, secret, s.salt, "", 64)
	if err != nil {
		return nil, nil, fmt.Errorf("derive keys: %w", err)
	}
	return both[:32], both[32:], nil
}

func (s *state) encrypt(plain []byte) []byte {
	sealed := s.aead.Seal(nil, nonce(s.counter), plain, s.hash[:])
	s.counter++
	s.mixHash(sealed)
	return sealed
}

func (s *state) decrypt(sealed []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nonce(s.counter), sealed, s.hash[:])
	if err != nil {
		return nil, errors.New("a handshake message does not decrypt")
	}
	s.counter++
	s.mixHash(sealed)
	return plain, nil
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func nonce(counter uint32) []byte {
	iv := make([]byte, 12)
	binary.BigEndian.PutUint32(iv[8:], counter)
	return iv
}
