package wasim

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/util/keys"
)

// memory implements the part of whatsmeow's store that a phone needs. It discards everything else, like NoopStore.
type memory struct {
	store.NoopStore

	// ratchets is held while a message is decrypted and while one is sent. In both cases whatsmeow reads a session,
	// advances it and writes it back. Without a transaction the later write would undo the other, a counter would be used
	// twice, and the second message could never be read.
	ratchets sync.Mutex

	mu         sync.Mutex
	identities map[string][32]byte
	sessions   map[string][]byte
	senderKeys map[[2]string][]byte
	preKeys    map[uint32]*keys.PreKey
	lastKey    uint32
	uploaded   uint32 // the server has the keys up to this id
	tokens     map[string]store.PrivacyToken
	lids, pns  map[string]string
}

var (
	_ store.AllStores       = (*memory)(nil)
	_ store.DeviceContainer = (*memory)(nil)
)

func newMemory() *memory {
	return &memory{
		identities: make(map[string][32]byte), sessions: make(map[string][]byte), senderKeys: make(map[[2]string][]byte),
		preKeys: make(map[uint32]*keys.PreKey), tokens: make(map[string]store.PrivacyToken),
		lids: make(map[string]string), pns: make(map[string]string),
	}
}

func (m *memory) PutIdentity(_ context.Context, address string, key [32]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.identities[address] = key
	return nil
}

func (m *memory) DeleteAllIdentities(_ context.Context, phone string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.identities, func(a string, _ [32]byte) bool { return strings.HasPrefix(a, phone+":") })
	return nil
}

func (m *memory) DeleteIdentity(_ context.Context, address string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.identities, address)
	return nil
}

func (m *memory) IsTrustedIdentity(_ context.Context, address string, key [32]byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.identities[address]
	return !ok || known == key, nil
}

// DoDecryptionTxn runs one decryption; whatsmeow calls it for clients with EnableDecryptedEventBuffer.
func (m *memory) DoDecryptionTxn(ctx context.Context, decrypt func(context.Context) error) error {
	m.ratchets.Lock()
	defer m.ratchets.Unlock()
	return decrypt(ctx)
}

func (m *memory) GetSession(_ context.Context, address string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[address], nil
}

func (m *memory) HasSession(_ context.Context, address string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[address] != nil, nil
}

func (m *memory) GetManySessions(_ context.Context, addresses []string) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string][]byte, len(addresses))
	for _, a := range addresses {
		out[a] = m.sessions[a]
	}
	return out, nil
}

func (m *memory) PutSession(_ context.Context, address string, session []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[address] = session
	return nil
}

func (m *memory) PutManySessions(_ context.Context, sessions map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.Copy(m.sessions, sessions)
	return nil
}

func (m *memory) DeleteAllSessions(_ context.Context, phone string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.sessions, func(a string, _ []byte) bool { return strings.HasPrefix(a, phone+":") })
	return nil
}

func (m *memory) DeleteSession(_ context.Context, address string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, address)
	return nil
}

// MigratePNToLID has nothing to do, because a phone of the simulator uses LIDs from the first session on.
func (m *memory) MigratePNToLID(context.Context, types.JID, types.JID) error { return nil }

func (m *memory) makeKey() *keys.PreKey {
	m.lastKey++
	k := keys.NewPreKey(m.lastKey)
	m.preKeys[k.KeyID] = k
	return k
}

func (m *memory) GenOnePreKey(context.Context) (*keys.PreKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.makeKey(), nil
}

func (m *memory) GetOrGenPreKeys(_ context.Context, count uint32) ([]*keys.PreKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*keys.PreKey
	for _, id := range slices.Sorted(maps.Keys(m.preKeys)) {
		if id > m.uploaded && uint32(len(out)) < count {
			out = append(out, m.preKeys[id])
		}
	}
	for uint32(len(out)) < count {
		out = append(out, m.makeKey())
	}
	return out, nil
}

func (m *memory) GetPreKey(_ context.Context, id uint32) (*keys.PreKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.preKeys[id], nil
}

func (m *memory) RemovePreKey(_ context.Context, id uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.preKeys, id)
	return nil
}

func (m *memory) MarkPreKeysAsUploaded(_ context.Context, upTo uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uploaded = upTo
	return nil
}

func (m *memory) UploadedPreKeyCount(context.Context) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id := range m.preKeys {
		if id <= m.uploaded {
			n++
		}
	}
	return n, nil
}

func (m *memory) PutSenderKey(_ context.Context, group, user string, session []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.senderKeys[[2]string{group, user}] = session
	return nil
}

func (m *memory) GetSenderKey(_ context.Context, group, user string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.senderKeys[[2]string{group, user}], nil
}

func (m *memory) PutPrivacyTokens(_ context.Context, tokens ...store.PrivacyToken) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range tokens {
		m.tokens[t.User.User] = t
	}
	return nil
}

func (m *memory) GetPrivacyToken(_ context.Context, user types.JID) (*store.PrivacyToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tokens[user.User]; ok {
		return &t, nil
	}
	return nil, nil
}

func (m *memory) PutManyLIDMappings(_ context.Context, mappings []store.LIDMapping) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range mappings {
		m.lids[p.PN.User], m.pns[p.LID.User] = p.LID.User, p.PN.User
	}
	return nil
}

func (m *memory) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	return m.PutManyLIDMappings(ctx, []store.LIDMapping{{LID: lid, PN: pn}})
}

func (m *memory) GetPNForLID(_ context.Context, lid types.JID) (types.JID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return other(m.pns, lid, types.DefaultUserServer), nil
}

func (m *memory) GetLIDForPN(_ context.Context, pn types.JID) (types.JID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return other(m.lids, pn, types.HiddenUserServer), nil
}

func (m *memory) GetManyLIDsForPNs(_ context.Context, pns []types.JID) (map[types.JID]types.JID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[types.JID]types.JID, len(pns))
	for _, pn := range pns {
		if lid := other(m.lids, pn, types.HiddenUserServer); !lid.IsEmpty() {
			out[pn] = lid
		}
	}
	return out, nil
}

// other translates a JID with a table and keeps its device. An unknown JID becomes the empty JID.
func other(table map[string]string, jid types.JID, server string) types.JID {
	user, ok := table[jid.User]
	if !ok {
		return types.EmptyJID
	}
	return types.JID{User: user, Device: jid.Device, Server: server}
}
