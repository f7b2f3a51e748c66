package appstate

import (
	"bytes"
	"context"

	"go.mau.fi/whatsmeow/store"
)

// memory is the part of a device's store that whatsmeow's app state processor uses: one key, and per setting the MAC
// of its present value. Versions are kept by collection, so those methods stay the NoopStore's. Guarded by Account.mu;
// it grows with the patches, which are bounded.
type memory struct {
	*store.NoopStore
	keyID []byte
	key   *store.AppStateSyncKey
	macs  map[string][]byte
}

// GetAppStateSyncKey implements store.AppStateSyncKeyStore.
func (m *memory) GetAppStateSyncKey(_ context.Context, id []byte) (*store.AppStateSyncKey, error) {
	if !bytes.Equal(id, m.keyID) {
		return nil, nil
	}
	return m.key, nil
}

// PutAppStateMutationMACs implements store.AppStateStore.
func (m *memory) PutAppStateMutationMACs(_ context.Context, name string, _ uint64, macs []store.AppStateMutationMAC) error {
	for _, mac := range macs {
		m.macs[name+string(mac.IndexMAC)] = mac.ValueMAC
	}
	return nil
}

// DeleteAppStateMutationMACs implements store.AppStateStore.
func (m *memory) DeleteAppStateMutationMACs(_ context.Context, name string, indexes [][]byte) error {
	for _, index := range indexes {
		delete(m.macs, name+string(index))
	}
	return nil
}

// GetAppStateMutationMAC implements store.AppStateStore.
func (m *memory) GetAppStateMutationMAC(_ context.Context, name string, index []byte) ([]byte, error) {
	return m.macs[name+string(index)], nil
}
