// Package send takes one message from the request to its settled outcome: whom it goes
// to, whether it may go, its media, the intent on disk, the sending, and what is known
// afterwards.
//
// What the package guarantees:
//
//   - One message per idempotency key. Its id is derived from the key; the message and
//     its menu are on disk before it leaves and the outcome after; a repeat answers with
//     the stored outcome, or sends the stored bytes under the same id.
//   - What WhatsApp refuses becomes a problem with what is known of the effect and the
//     next step; nothing asked for is dropped in silence.
//   - While new contacts of an instance are paused it writes only to people who wrote
//     first.
package send

import (
	"context"
	"log/slog"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
)

// The operations whose keys the ledger knows.
const (
	OpButtons = "whatsapp.sendButtons@1"
	OpText    = "whatsapp.sendText@1"
)

// Options of a Sender. All are required.
type Options struct {
	Store   *store.Store
	Pool    *pool.Pool
	Media   *media.Loader
	Pauses  *Pauses
	Log     *slog.Logger
	Profile buttons.Profile

	SendTime  time.Duration // one message, without what comes before it
	QueryTime time.Duration // one question to WhatsApp
	MediaTime time.Duration // one download, and one upload
}

// Sender sends for all instances of a process.
type Sender struct {
	Options
	numbers *directory
}

// New returns a sender.
func New(o Options) *Sender { return &Sender{Options: o, numbers: newDirectory(o.Store.Cache)} }

const concludeTime = 10 * time.Second // to store an outcome after the caller has gone

// after is a context for what has to be stored whatever becomes of the call.
func after(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), concludeTime)
}
