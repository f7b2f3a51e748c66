package receive

import (
	"context"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
)

// receiptStates are the receipts that say how far a message came. The others are
// about our own devices, or ask for the message again.
var receiptStates = map[types.ReceiptType]ledger.State{
	types.ReceiptTypeDelivered: ledger.Delivered,
	types.ReceiptTypeInactive:  ledger.Delivered,
	types.ReceiptTypeRead:      ledger.Read,
	types.ReceiptTypePlayed:    ledger.Read,
}

// Receipt is pool.Options.OnReceipt. It also concludes a send whose answer was lost.
func (r *Receiver) Receipt(ctx context.Context, i *pool.Instance, got *events.Receipt) error {
	state, ok := receiptStates[got.Type]
	if !ok || got.IsFromMe { // another own device has it, which says nothing about the recipient
		return nil
	}
	told := ledger.Receipt{MessageIDs: got.MessageIDs, State: state, At: got.Timestamp}
	if got.Chat.Server == types.GroupServer {
		told.Member = member(ctx, i, got).ToNonAD().String()
	}
	return r.store.Ledger.Receipt(ctx, i.Name(), told)
}

// member is who a group's receipt is from, under the one name that tells it from the
// other members: the LID if it is known.
func member(ctx context.Context, i *pool.Instance, got *events.Receipt) types.JID {
	for _, jid := range []types.JID{got.Sender, got.SenderAlt} {
		if jid.Server == types.HiddenUserServer {
			return jid
		}
	}
	if cli, err := i.Client(); err == nil {
		if lid, err := cli.Store.LIDs.GetLIDForPN(ctx, got.Sender); err == nil && !lid.IsEmpty() {
			return lid
		}
	}
	return got.Sender
}
