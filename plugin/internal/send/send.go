// Package send takes one message from the request to its final outcome: the recipient, the
// permission to write, the media, the intent on disk, the sending, and what is known afterwards.
//
// What the package guarantees:
//
//   - One message per idempotency key. Its id is derived from the key; the message and its menu
//     are on disk before it leaves, and the outcome afterwards; a repeat returns the stored
//     outcome or sends the stored bytes under the same id.
//   - A refusal by WhatsApp becomes a problem that states the known effect and the next step;
//     nothing requested is dropped silently.
//   - While new contacts of an instance are paused, it writes only to people who wrote first.
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

// The operations whose idempotency keys the ledger stores.
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

	SendTime  time.Duration // one message, without its preparation
	QueryTime time.Duration // one query to WhatsApp
	MediaTime time.Duration // one download, and one upload, each
}

// Sender sends for all instances of a process.
type Sender struct {
	Options
	numbers *directory
}

// New returns a sender.
func New(o Options) *Sender { return &Sender{Options: o, numbers: newDirectory(o.Store.Cache)} }

const concludeTime = 10 * time.Second // time to store an outcome after the caller has left

// after returns a context for writes that must happen whatever becomes of the call.
func after(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), concludeTime)
}
