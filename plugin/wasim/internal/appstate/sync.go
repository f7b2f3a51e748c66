package appstate

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"go.mau.fi/whatsmeow/appstate"
	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/store"
)

// page is how many patches one answer carries; the client asks again while there are more.
const page = 50

// Change is a collection that has moved to a new version. The server announces it to every device of the account
// that did not make it, in a notification of type server_sync.
type Change struct {
	Name    appstate.WAPatchName
	Version uint64
}

// Node is the child of that notification.
func (c Change) Node() waBinary.Node {
	return waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{"name": string(c.Name), "version": strconv.FormatUint(c.Version, 10)}}
}

// Sync answers the <sync> of a «w:sync:app:state» query: patches since the client's version for each collection
// asked for, its own patch applied first. A collection that cannot be served is answered with an <error> of its own
// (404, 409 with the patches the client lacks, 400, 507), the others as usual. Snapshots are never sent: a client that
// asks for one is given the patches from the first on.
func (a *Account) Sync(ctx context.Context, sync waBinary.Node) (waBinary.Node, []Change) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var changes []Change
	var out []waBinary.Node
	for _, asked := range sync.GetChildrenByTag("collection") {
		answer, change := a.collection(ctx, asked)
		if change != nil {
			changes = append(changes, *change)
		}
		out = append(out, answer)
	}
	return waBinary.Node{Tag: "sync", Content: out}, changes
}

func (a *Account) collection(ctx context.Context, asked waBinary.Node) (waBinary.Node, *Change) {
	ag := asked.AttrGetter()
	name := appstate.WAPatchName(ag.OptionalString("name"))
	c := a.collections[name]
	if c == nil {
		return failed(name, 404, ErrCollection), nil
	}
	var since uint64
	if text := ag.OptionalString("version"); text != "" && !ag.OptionalBool("return_snapshot") {
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil || v > c.state.Version {
			return failed(name, 400, errors.New("version is not one of this collection")), nil
		}
		since = v
	}
	raw, sent := asked.GetChildByTag("patch").Content.([]byte)
	if !sent {
		return c.since(name, since), nil
	}
	change, err := a.apply(ctx, name, since, raw)
	switch {
	case errors.Is(err, ErrConflict):
		answer, patches := failed(name, 409, err), c.since(name, since)
		answer.Content = append(answer.GetChildren(), patches.GetChildren()...)
		return answer, nil
	case errors.Is(err, ErrFull):
		return failed(name, 507, err), nil
	case err != nil:
		return failed(name, 400, err), nil
	}
	return change.Node(), &change
}

// since is the answer that brings a client from a version up to date, page by page.
func (c *collection) since(name appstate.WAPatchName, version uint64) waBinary.Node {
	todo := c.patches[version:]
	more := len(todo) > page
	todo = todo[:min(page, len(todo))]
	patches := make([]waBinary.Node, len(todo))
	for i, raw := range todo {
		patches[i] = waBinary.Node{Tag: "patch", Content: raw}
	}
	answer := Change{name, c.state.Version}.Node()
	answer.Attrs["has_more_patches"] = strconv.FormatBool(more)
	answer.Content = []waBinary.Node{{Tag: "patches", Content: patches}}
	return answer
}

func failed(name appstate.WAPatchName, code int, err error) waBinary.Node {
	return waBinary.Node{Tag: "collection", Attrs: waBinary.Attrs{"name": string(name), "type": "error"},
		Content: []waBinary.Node{{Tag: "error", Attrs: waBinary.Attrs{"code": strconv.Itoa(code), "text": err.Error()}}}}
}

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
