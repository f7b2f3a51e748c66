package send

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/sdk"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Finder returns a pool.Options.Find that reads our sent messages from a ledger.
func Finder(l *ledger.Ledger) func(ctx context.Context, instance string, chat types.JID, id types.MessageID) (*pool.Sent, error) {
	return func(ctx context.Context, instance string, chat types.JID, id types.MessageID) (*pool.Sent, error) {
		e, err := l.MessageForRetry(ctx, instance, chat.ToNonAD().String(), id)
		if errors.Is(err, sqldb.ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		out, err := outgoing(e)
		return &pool.Sent{Message: out.Message, Nodes: out.Nodes}, err
	}
}

// outgoing rebuilds a message from the ledger. The stanza nodes depend only on the profile, the id
// and the time, so they are rebuilt rather than stored.
func outgoing(e ledger.Entry) (pool.Outgoing, error) {
	out := pool.Outgoing{ID: e.MessageID, Message: &waE2E.Message{}}
	if len(e.Message) == 0 {
		p := problem.New(http.StatusConflict, "account_changed", sdk.FaultCaller,
			"The instance was paired with another account before WhatsApp answered, so whether the message arrived stays unknown; send it with a new idempotency key if it is still wanted")
		p.Effect = sdk.EffectUnknown
		return out, p
	}
	if err := proto.Unmarshal(e.Message, out.Message); err != nil {
		return out, fmt.Errorf("read the stored message: %w", err)
	}
	if e.Profile != "" {
		_, out.Nodes = buttons.Profile(e.Profile).Encode(buttons.Request{}, buttons.Send{MessageID: e.MessageID, At: e.CreatedAt})
	}
	return out, nil
}
