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

// A message that cannot be stored must not be acknowledged, or WhatsApp would forget it. So when
// the database fails, the connection is closed before anything that came over it is acknowledged,
// and dialled again once the database works. WhatsApp then delivers what it has kept.

// storeLook is how often an instance whose database failed checks whether it works again.
const storeLook = 500 * time.Millisecond

// errNotStored is the signal that WhatsApp still holds an item because it could not be stored.
type errNotStored struct{ err error }

// arm prepares the stores of a client for the connection that is about to be dialled.
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

// storeFailed returns why storing failed on the current connection, or nil.
func (i *Instance) storeFailed() error {
	if err := i.unstored.Load(); err != nil {
		return *err
	}
	return nil
}

// awaitStore waits until the database works, or until the instance should no longer be online.
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

// hopeless reports whether the database itself has failed, so that no other message could be stored
// either. The connection is then of no use.
func (i *Instance) hopeless() bool {
	ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
	defer cancel()
	i.pool.opts.Storage.Suspect()
	return i.pool.opts.Storage.Look(ctx) != nil
}

// notStoring returns the trouble of an instance that its database keeps offline. The database's
// error text goes only to the log, because it may name hosts and users.
func (i *Instance) notStoring(err error) *Trouble {
	i.log.Warn("the database cannot be used; the line to WhatsApp stays down until it can", "error", redactErr(err))
	t := &Trouble{Code: codeStorage, At: time.Now(),
		Message: "the node's database cannot be used: free disk space or mend it. The line to WhatsApp is down until then, and WhatsApp keeps what comes in"}
	if n := i.kept.Load(); n > 0 {
		t.Message += fmt.Sprintf(" (%d messages or receipts could not be stored so far)", n)
	}
	return t
}

// container deletes devices without whatsmeow noticing. When the server unlinks a device, whatsmeow
// deletes it and then clears the struct without a lock, while other goroutines of whatsmeow still
// read it to fetch settings, upload keys or send receipts. If the deletion fails, whatsmeow leaves
// the struct alone; so here it always reports failure. Whatever those goroutines still try to store
// fails in the database, because the device is gone.
type container struct {
	wastore.DeviceContainer
	deletion time.Duration // how long a deletion may take
}

// errDeleted is returned by a deletion that succeeded.
var errDeleted = errors.New("the session is deleted; its client keeps what it has in memory until it ends")

// PutDevice stores the device and remains its container: on the first call, the inner container
// would replace it.
func (c container) PutDevice(ctx context.Context, d *wastore.Device) error {
	fresh := !d.Initialized
	err := c.DeviceContainer.PutDevice(ctx, d)
	if fresh {
		d.Container = c
	}
	return err
}

// DeleteDevice deletes the device and returns errDeleted, or the error of a failed deletion. It
// outlives ctx, which belongs to the connection: we close the connection as soon as whatsmeow
// reports the logout, and whatsmeow deletes the device after that.
func (c container) DeleteDevice(ctx context.Context, d *wastore.Device) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.deletion)
	defer cancel()
	if err := c.DeviceContainer.DeleteDevice(ctx, d); err != nil {
		return err
	}
	return errDeleted
}
