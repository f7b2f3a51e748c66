package wasim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/libsignal/ecc"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waAdv"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
	"google.golang.org/protobuf/proto"
)

// newKeys makes the keys of a phone, in memory.
func newKeys(jid, lid types.JID) *store.Device {
	var random [4]byte
	rand.Read(random[:])
	d := &store.Device{
		ID: &jid, LID: lid, Platform: "android",
		NoiseKey: keys.NewKeyPair(), IdentityKey: keys.NewKeyPair(),
		RegistrationID: binary.BigEndian.Uint32(random[:])&0x3fff + 1,
		AdvSecretKey:   make([]byte, 32),
		Initialized:    true,
	}
	rand.Read(d.AdvSecretKey)
	d.SignedPreKey = d.IdentityKey.CreateSignedPreKey(1)
	mem := newMemory()
	d.SetAllStores(mem)
	d.LIDs, d.Container = mem, mem
	return d
}

// signDevice certifies, with the phone's identity key, that another identity key belongs to the account.
func signDevice(phone *keys.KeyPair, identity *[32]byte, index uint32) (*waAdv.ADVSignedDeviceIdentity, error) {
	details, err := proto.Marshal(&waAdv.ADVDeviceIdentity{
		RawID:      proto.Uint32(1),
		Timestamp:  proto.Uint64(uint64(time.Now().Unix())),
		KeyIndex:   proto.Uint32(index),
		DeviceType: waAdv.ADVEncryptionType_E2EE.Enum(),
	})
	if err != nil {
		return nil, fmt.Errorf("encode device identity: %w", err)
	}
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*phone.Priv),
		slices.Concat(whatsmeow.AdvAccountSignaturePrefix, details, identity[:]))
	return &waAdv.ADVSignedDeviceIdentity{Details: details, AccountSignatureKey: phone.Pub[:], AccountSignature: signature[:]}, nil
}

// countersign adds the device's own signature, as the device does when it is paired.
func countersign(id *waAdv.ADVSignedDeviceIdentity, device *keys.KeyPair) {
	signature := ecc.CalculateSignature(ecc.NewDjbECPrivateKey(*device.Priv),
		slices.Concat(whatsmeow.AdvDeviceSignaturePrefix, id.Details, device.Pub[:], id.AccountSignatureKey))
	id.DeviceSignature = signature[:]
}

// seal wraps a device identity for the client whose secret was in the QR code.
func seal(id *waAdv.ADVSignedDeviceIdentity, secret []byte) ([]byte, error) {
	details, err := proto.Marshal(id)
	if err != nil {
		return nil, fmt.Errorf("encode signed device identity: %w", err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(details)
	return proto.Marshal(&waAdv.ADVSignedDeviceIdentityHMAC{Details: details, HMAC: mac.Sum(nil)})
}

var errDeviceSignature = errors.New("the client's device signature is not valid")

// verifyDevice checks what the client has added to the device identity that it was given.
func verifyDevice(given *waAdv.ADVSignedDeviceIdentity, raw []byte, identity [32]byte) error {
	var got waAdv.ADVSignedDeviceIdentity
	if err := proto.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("%w: %w", errDeviceSignature, err)
	}
	if len(got.GetDeviceSignature()) != 64 || !slices.Equal(got.GetDetails(), given.GetDetails()) {
		return errDeviceSignature
	}
	message := slices.Concat(whatsmeow.AdvDeviceSignaturePrefix, given.GetDetails(), identity[:], given.GetAccountSignatureKey())
	if !ecc.VerifySignature(ecc.NewDjbECPublicKey(identity), message, [64]byte(got.GetDeviceSignature())) {
		return errDeviceSignature
	}
	return nil
}
