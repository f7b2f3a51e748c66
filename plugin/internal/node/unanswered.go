package node

import (
	"context"
	"sync"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
)

const maxUnanswered = 10_000 // ids remembered; past it a receipt proves nothing, and a repeat sends again

// unanswered are the messages that left and were not acknowledged. A receipt from a
// phone proves that they arrived, so that a repeat need not send them again. Only
// they are looked for: the other receipts, two for every message, cost nothing.
type unanswered struct {
	mu  sync.Mutex
	ids map[types.MessageID]struct{}
}

func (u *unanswered) add(id types.MessageID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids == nil {
		u.ids = map[types.MessageID]struct{}{}
	}
	if len(u.ids) < maxUnanswered {
		u.ids[id] = struct{}{}
	}
}

// take removes and returns those of ids that are there.
func (u *unanswered) take(ids []types.MessageID) []types.MessageID {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []types.MessageID
	for _, id := range ids {
		if _, ok := u.ids[id]; ok {
			delete(u.ids, id)
			found = append(found, id)
		}
	}
	return found
}

// receipt is pool.Options.OnReceipt.
func (p *process) receipt(ctx context.Context, i *pool.Instance, r *events.Receipt) {
	switch r.Type {
	case types.ReceiptTypeDelivered, types.ReceiptTypeRead, types.ReceiptTypeInactive:
	default:
		return
	}
	if r.IsFromMe { // another own device has it, which says nothing about the recipient
		return
	}
	if ids := p.unanswered.take(r.MessageIDs); len(ids) > 0 {
		if _, err := p.store.Receipt(ctx, i.Name(), ids, store.Delivered); err != nil {
			p.log.Error("a receipt could not be stored", "instance", i.Name(), "error", err)
		}
	}
}
