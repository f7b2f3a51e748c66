package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mau.fi/whatsmeow"
	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// A message that cannot be stored must not be answered: WhatsApp would forget it. So a
// line whose database fails is hung up before anything is said about what came over it,
// and dialled again when the database works. WhatsApp delivers then what it has kept.

// storeLook is how often an instance without a database asks whether it works again.
const storeLook = 500 * time.Millisecond

// errNotStored is the signal that a message waits at the server because it could
// not be stored.
type errNotStored struct{ err error }

// arm makes the stores of a client ready for the connection that is about to be dialled.
func (i *Instance) arm(cli *whatsmeow.Client) {
	i.unstored.Store(nil)
	i.kept.Store(0)
	i.arriving.forget()
	session.Arm(cli.Store, func(err error) {
		i.kept.Add(1)
		i.pool.moved.ring()
		i.unstored.Store(&err)
		i.pool.opts.Storage.Suspect()
		i.stir()
	})
}

// storeFailed is why the present connection's stores have failed; nil while they work.
func (i *Instance) storeFailed() error {
	if err := i.unstored.Load(); err != nil {
		return *err
	}
	return nil
}

// awaitStore waits until the database works, or until the instance is not wanted online.
func (i *Instance) awaitStore() {
	for told := false; i.ctx.Err() == nil && i.wanted(); told = true {
		err := i.pool.opts.Storage.Err()
		if err == nil {
			return
		}
		if !told {
			i.set(Connecting, i.notStoring(err))
		}
		i.sleep(storeLook)
	}
}

// hopeless reports whether a message that its handler could not store could not be
// stored by anybody: then there is no use in keeping the line.
func (i *Instance) hopeless() bool {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	i.pool.opts.Storage.Suspect()
	return i.pool.opts.Storage.Look(ctx) != nil
}

// notStoring says that the database keeps the instance offline. The database's own words
// are for the log: they may name hosts and users.
func (i *Instance) notStoring(err error) *Trouble {
	i.log.Warn("the database cannot be used; the line to WhatsApp stays down until it can", "error", redactErr(err))
	t := &Trouble{Code: codeStorage, At: time.Now(),
		Message: "the node's database cannot be used: free disk space or mend it. The line to WhatsApp is down until then, and WhatsApp keeps what comes in"}
	if n := i.kept.Load(); n > 0 {
		t.Message += fmt.Sprintf(" (%d messages or receipts could not be stored so far)", n)
	}
	return t
}

// container deletes devices so that whatsmeow does not notice. When the server unlinks
// a device, whatsmeow has it deleted and then empties the struct without a lock, while
// goroutines of its own still read it: those that fetch settings, upload keys or send
// receipts. It leaves the struct alone when the deletion fails, so here it always does.
// What those goroutines still want to store fails in the database: the device is gone.
type container struct {
	wastore.DeviceContainer
	deletion time.Duration // how long one may take
}

// errDeleted is what a deletion that worked returns.
var errDeleted = errors.New("the session is deleted; its client keeps what it has in memory until it ends")

// PutDevice stores the device and stays its container: the first time, the inner one
// puts itself there.
func (c container) PutDevice(ctx context.Context, d *wastore.Device) error {
	fresh := !d.Initialized
	err := c.DeviceContainer.PutDevice(ctx, d)
	if fresh {
		d.Container = c
	}
	return err
}

// DeleteDevice deletes the device and returns errDeleted, or the error of a deletion
// that did not work. It does not end with ctx: that is the connection's, and we hang up
// as soon as whatsmeow tells us of the logout, before it deletes.
func (c container) DeleteDevice(ctx context.Context, d *wastore.Device) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.deletion)
	defer cancel()
	if err := c.DeviceContainer.DeleteDevice(ctx, d); err != nil {
		return err
	}
	return errDeleted
}
