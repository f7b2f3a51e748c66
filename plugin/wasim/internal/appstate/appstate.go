// Package appstate keeps the settings of one simulated account as WhatsApp does: as encrypted patches on the server,
// under a key that only the account's devices hold.
//
// An Account is both halves. As the primary phone it makes the key (KeyShare goes to every new companion) and writes
// settings (Put). As the server it answers «w:sync:app:state» queries, takes companions' patches and reports what the
// other devices must be told. Patches are encoded and checked by whatsmeow's own appstate package, so an unmodified
// client accepts them, MACs and hash chain included: after the first sync Store.PushName is set, and SendPresence works.
//
// The number and size of patches are bounded; an Account may be used by many goroutines.
package appstate

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.mau.fi/whatsmeow/appstate"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waServerSync"
	"go.mau.fi/whatsmeow/store"
	waLog "go.mau.fi/whatsmeow/util/log"
	"google.golang.org/protobuf/proto"
)

// Bounds of one account's settings.
const (
	maxPatches   = 1000     // per collection
	maxPatchSize = 64 << 10 // bytes
)

// Errors a patch is refused with.
var (
	ErrConflict   = errors.New("patch builds on another version")
	ErrFull       = fmt.Errorf("collection holds %d patches", maxPatches)
	ErrPatch      = errors.New("patch is not valid for this account")
	ErrCollection = errors.New("no such collection")
)

// Account holds one account's settings.
type Account struct {
	keyID []byte
	key   store.AppStateSyncKey
	proc  *appstate.Processor

	mu          sync.Mutex
	collections map[appstate.WAPatchName]*collection
}

// collection is the patches of one name; the patch at index i brings it from version i to i+1.
type collection struct {
	state   appstate.HashState
	patches [][]byte
}

// New makes the settings of a fresh account: its push name, and a first version of every collection, since a client
// that finds none takes the next change for the initial state and reports no event.
func New(ctx context.Context, pushName string) (*Account, error) {
	a := &Account{keyID: make([]byte, 6), collections: make(map[appstate.WAPatchName]*collection)}
	binary.BigEndian.PutUint32(a.keyID[2:], uint32(time.Now().Unix()))
	a.key = store.AppStateSyncKey{Data: make([]byte, 32), Timestamp: time.Now().UnixMilli()}
	rand.Read(a.key.Data)
	mem := &memory{NoopStore: &store.NoopStore{}, keyID: a.keyID, key: &a.key, macs: make(map[string][]byte)}
	a.proc = appstate.NewProcessor(&store.Device{AppStateKeys: mem, AppState: mem}, waLog.Noop)
	for _, name := range appstate.AllPatchNames {
		a.collections[name] = &collection{}
	}
	for _, name := range appstate.AllPatchNames {
		first := appstate.PatchInfo{Type: name}
		if name == appstate.WAPatchCriticalBlock {
			first = appstate.BuildSettingPushName(pushName)
		}
		if _, err := a.Put(ctx, first); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// KeyShare is the message the phone sends a companion once it is linked, and again when the companion asks.
func (a *Account) KeyShare() *waE2E.Message {
	return &waE2E.Message{ProtocolMessage: &waE2E.ProtocolMessage{
		Type: waE2E.ProtocolMessage_APP_STATE_SYNC_KEY_SHARE.Enum(),
		AppStateSyncKeyShare: &waE2E.AppStateSyncKeyShare{Keys: []*waE2E.AppStateSyncKey{{
			KeyID: &waE2E.AppStateSyncKeyId{KeyID: a.keyID},
			KeyData: &waE2E.AppStateSyncKeyData{
				KeyData:   a.key.Data,
				Timestamp: proto.Int64(a.key.Timestamp),
				Fingerprint: &waE2E.AppStateSyncKeyFingerprint{
					RawID: proto.Uint32(1), CurrentIndex: proto.Uint32(0), DeviceIndexes: []uint32{0},
				},
			},
		}}},
	}}
}

// Put changes settings on the phone and returns what the account's companions must be told.
// whatsmeow's appstate.Build… functions make the argument.
func (a *Account) Put(ctx context.Context, info appstate.PatchInfo) (Change, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.collections[info.Type]
	if c == nil {
		return Change{}, fmt.Errorf("%w: %q", ErrCollection, info.Type)
	}
	raw, err := a.proc.EncodePatch(ctx, a.keyID, c.state, info)
	if err != nil {
		return Change{}, fmt.Errorf("encode %s patch: %w", info.Type, err)
	}
	return a.apply(ctx, info.Type, c.state.Version, raw)
}

// apply checks a patch against the account's state as every device of it will, and appends it.
func (a *Account) apply(ctx context.Context, name appstate.WAPatchName, base uint64, raw []byte) (Change, error) {
	c := a.collections[name]
	switch {
	case base != c.state.Version:
		return Change{}, ErrConflict
	case len(c.patches) >= maxPatches:
		return Change{}, ErrFull
	case len(raw) > maxPatchSize:
		return Change{}, fmt.Errorf("%w: %d bytes, at most %d", ErrPatch, len(raw), maxPatchSize)
	}
	var patch waServerSync.SyncdPatch
	if err := proto.Unmarshal(raw, &patch); err != nil {
		return Change{}, fmt.Errorf("%w: %w", ErrPatch, err)
	}
	if err := sized(&patch); err != nil {
		return Change{}, err
	}
	patch.Version = &waServerSync.SyncdVersion{Version: proto.Uint64(base + 1)}
	list := &appstate.PatchList{Name: name, Patches: []*waServerSync.SyncdPatch{&patch}}
	_, state, err := a.proc.DecodePatches(ctx, list, c.state, true)
	if err != nil {
		return Change{}, fmt.Errorf("%w: %w", ErrPatch, err)
	}
	stored, err := proto.Marshal(&patch)
	if err != nil {
		return Change{}, fmt.Errorf("encode %s patch: %w", name, err)
	}
	c.state, c.patches = state, append(c.patches, stored)
	return Change{Name: name, Version: state.Version}, nil
}

// sized refuses what whatsmeow's decoder would cut beyond its end: a value is an IV, a block at least and a MAC.
func sized(patch *waServerSync.SyncdPatch) error {
	const shortest = 16 + 16 + 32
	for i, m := range patch.GetMutations() {
		if n := len(m.GetRecord().GetValue().GetBlob()); n < shortest {
			return fmt.Errorf("%w: value of mutation %d has %d bytes, at least %d", ErrPatch, i, n, shortest)
		}
	}
	return nil
}
