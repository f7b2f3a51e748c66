package passkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.mau.fi/whatsmeow/types"
)

// Where WhatsApp's passkeys are registered. The relying party is the simulator's assumption; what a test sees of it is
// in the options the client gets.
const (
	relyingParty = "whatsapp.com"
	origin       = "https://web.whatsapp.com"
)

// Bits of the flags in the authenticator data (WebAuthn §6.1).
const (
	userPresent  = 1 << 0
	userVerified = 1 << 2
)

// rpHash and flags begin the authenticator data, a counter of four bytes ends it.
const dataLength = sha256.Size + 1 + 4

// Errors of an assertion.
var (
	ErrNoCredential = errors.New("the options do not ask for this passkey")
	ErrAssertion    = errors.New("the passkey's answer does not hold")
)

// Key is a passkey and the authenticator that keeps it: an ECDSA key on P-256.
type Key struct {
	id      []byte
	user    []byte // the site's id for its owner
	private *ecdsa.PrivateKey
}

// NewKey creates a passkey.
func NewKey() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a passkey: %w", err)
	}
	k := &Key{id: make([]byte, 16), user: make([]byte, 16), private: private}
	rand.Read(k.id)
	rand.Read(k.user)
	return k, nil
}

// options asks for the key, as PublicKeyCredentialRequestOptions in JSON.
func (k *Key) options(challenge []byte) ([]byte, error) {
	return json.Marshal(types.WebAuthnPublicKey{
		Challenge: challenge, Timeout: 60_000, RelyingPartID: relyingParty, UserVerification: "required",
		AllowCredentials: []types.AllowedCredential{{ID: k.id, Type: "public-key", Transports: []string{"internal", "hybrid"}}},
	})
}

// clientData is what the browser adds (WebAuthn §5.8.1).
type clientData struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	Origin    string `json:"origin"`
}

// Answer is what navigator.credentials.get returns on a page of WhatsApp when the owner has touched the authenticator.
func (k *Key) Answer(options *types.WebAuthnPublicKey) (*types.WebAuthnResponse, error) {
	asked := slices.ContainsFunc(options.AllowCredentials, func(c types.AllowedCredential) bool { return slices.Equal(c.ID, k.id) })
	if options.RelyingPartID != relyingParty || !asked {
		return nil, ErrNoCredential
	}
	client, err := json.Marshal(clientData{"webauthn.get", base64.RawURLEncoding.EncodeToString(options.Challenge), origin})
	if err != nil {
		return nil, fmt.Errorf("encode the client data: %w", err)
	}
	party := sha256.Sum256([]byte(options.RelyingPartID))
	data := append(party[:], userPresent|userVerified, 0, 0, 0, 0)
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, signed(data, client))
	if err != nil {
		return nil, fmt.Errorf("sign the assertion: %w", err)
	}
	answer := &types.WebAuthnResponse{
		ID: base64.RawURLEncoding.EncodeToString(k.id), RawID: k.id, Type: "public-key",
		Response: types.WebAuthnResponseData{ClientDataJSON: client, AuthenticatorData: data, Signature: signature},
	}
	user := append(answer.RawID[:0:0], k.user...)
	answer.Response.UserHandle = &user
	return answer, nil
}

// signed is the digest an assertion signs (WebAuthn §6.3.3).
func signed(data, client []byte) []byte {
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	return sum[:]
}

// verify checks an assertion as a relying party does (WebAuthn §7.2). The error is an ErrAssertion that says what is
// wrong.
func (k *Key) verify(answer *types.WebAuthnResponse, challenge []byte) error {
	var client clientData
	r, party := answer.Response, sha256.Sum256([]byte(relyingParty))
	wrong := func(what string) error { return fmt.Errorf("%w: %s", ErrAssertion, what) }
	switch {
	case answer.Type != "public-key" || !slices.Equal(answer.RawID, k.id) || answer.ID != base64.RawURLEncoding.EncodeToString(k.id):
		return wrong("another credential")
	case r.UserHandle != nil && !slices.Equal(*r.UserHandle, k.user):
		return wrong("another user")
	case json.Unmarshal(r.ClientDataJSON, &client) != nil || client.Type != "webauthn.get":
		return wrong("clientDataJSON")
	case subtle.ConstantTimeCompare([]byte(client.Challenge), []byte(base64.RawURLEncoding.EncodeToString(challenge))) != 1:
		return wrong("another challenge")
	case client.Origin != origin:
		return wrong("given on another site")
	case len(r.AuthenticatorData) < dataLength || !slices.Equal(r.AuthenticatorData[:sha256.Size], party[:]):
		return wrong("authenticatorData")
	case r.AuthenticatorData[sha256.Size]&(userPresent|userVerified) != userPresent|userVerified:
		return wrong("the owner was not verified")
	case !ecdsa.VerifyASN1(&k.private.PublicKey, signed(r.AuthenticatorData, r.ClientDataJSON), r.Signature):
		return wrong("signature")
	}
	return nil
}
