package pool

import (
	"context"
	"errors"
	"time"

	wastore "go.mau.fi/whatsmeow/store"
)

// container deletes devices so that whatsmeow does not notice. When the server unlinks
// a device, whatsmeow has it deleted and then empties the struct without a lock, while
// goroutines of its own still read it: those that fetch settings, upload keys or send
// receipts. It leaves the struct alone when the deletion fails, so here it always does.
// What those goroutines still want to store fails in the database: the device is gone.
type container struct {
	wastore.DeviceContainer
	patience time.Duration // for a deletion
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.patience)
	defer cancel()
	if err := c.DeviceContainer.DeleteDevice(ctx, d); err != nil {
		return err
	}
	return errDeleted
}
