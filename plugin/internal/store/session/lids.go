package session

import (
	"context"
	"slices"
	"sync/atomic"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// lids is whatsmeow's map between phone numbers and LIDs, shared by all devices. A new mapping
// changes which privacy token belongs to a contact, so the devices' token memos are valid for one
// edition of the map only.
type lids struct {
	wastore.LIDStore
	edition atomic.Uint64
}

// PutLIDMapping stores a mapping.
func (l *lids) PutLIDMapping(ctx context.Context, lid, pn types.JID) error {
	return l.PutManyLIDMappings(ctx, []wastore.LIDMapping{{LID: lid, PN: pn}})
}

// PutManyLIDMappings stores the mappings that are new; most that whatsmeow passes are known.
func (l *lids) PutManyLIDMappings(ctx context.Context, mappings []wastore.LIDMapping) error {
	pns := make([]types.JID, 0, len(mappings))
	for _, m := range mappings {
		if m.LID.Server == types.HiddenUserServer && m.PN.Server == types.DefaultUserServer {
			pns = append(pns, m.PN)
		}
	}
	known, err := l.GetManyLIDsForPNs(sqldb.Apart(ctx), pns)
	if err != nil {
		return err
	}
	fresh := slices.DeleteFunc(slices.Clone(mappings), func(m wastore.LIDMapping) bool {
		lid, ok := known[m.PN]
		return ok && lid.User == m.LID.User
	})
	if len(fresh) == 0 {
		return nil
	}
	// The edition changes before and after the write, because what is read in between must not be
	// remembered either.
	l.edition.Add(1)
	defer l.edition.Add(1)
	return l.LIDStore.PutManyLIDMappings(sqldb.Apart(ctx), fresh)
}

// deviceLIDs is the shared map under the guard of one device.
type deviceLIDs struct {
	*lids
	guard *guarded
}

// GetPNForLID reads a phone number.
func (l deviceLIDs) GetPNForLID(ctx context.Context, lid types.JID) (types.JID, error) {
	return read(ctx, l.guard, func(ctx context.Context) (types.JID, error) { return l.lids.GetPNForLID(sqldb.Apart(ctx), lid) })
}

// GetLIDForPN reads a LID.
func (l deviceLIDs) GetLIDForPN(ctx context.Context, pn types.JID) (types.JID, error) {
	return read(ctx, l.guard, func(ctx context.Context) (types.JID, error) { return l.lids.GetLIDForPN(sqldb.Apart(ctx), pn) })
}
