package store

import (
	"context"
	"errors"
	"fmt"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// devices is whatsmeow's device container on our database, with the reads and
// writes that every send repeats made cheaper (see sessions.go).
type devices struct {
	store *Store
	inner *sqlstore.Container
	lids  *lids

	decryptions chan struct{} // how many wait for their turn to write, at most
}

// maxDecryptions leaves most of the connections to readers: only one decryption
// can write at a time anyway.
const maxDecryptions = 4

var _ wastore.DeviceContainer = (*devices)(nil)

func newDevices(s *Store, inner *sqlstore.Container) *devices {
	return &devices{
		store: s, inner: inner, lids: &lids{LIDStore: inner.LIDMap},
		decryptions: make(chan struct{}, maxDecryptions),
	}
}

// NewDevice makes an unpaired device. whatsmeow stores it when pairing succeeds.
func (s *Store) NewDevice() *wastore.Device {
	d := s.devices.inner.NewDevice()
	d.Container = s.devices
	return d
}

// Device reads the paired device by its JID with the device number, as in
// [Instance.JID]. Error: ErrNotFound.
func (s *Store) Device(ctx context.Context, jid types.JID) (*wastore.Device, error) {
	d, err := s.devices.inner.GetDevice(ctx, jid)
	if err == nil && d == nil {
		err = ErrNotFound
	}
	if err != nil {
		return nil, wrap("read the device", err)
	}
	s.devices.adopt(d)
	return d, nil
}

// PutDevice stores a device; whatsmeow calls it through Device.Save.
func (c *devices) PutDevice(ctx context.Context, d *wastore.Device) error {
	fresh := !d.Initialized
	if err := c.inner.PutDevice(ctx, d); err != nil {
		return wrap("store the device", err)
	}
	if fresh {
		c.adopt(d) // PutDevice has given it the plain stores
	}
	return nil
}

// DeleteDevice deletes a device and everything of it; whatsmeow calls it through
// Device.Delete.
func (c *devices) DeleteDevice(ctx context.Context, d *wastore.Device) error {
	if d.ID == nil {
		return fmt.Errorf("delete the device: %w", sqlstore.ErrDeviceIDMustBeSet)
	}
	err := c.store.write(ctx, "delete the device", func(t *tx) error {
		// whatsmeow's token table has no foreign key, so nothing else empties it.
		_, err := t.exec(`DELETE FROM whatsmeow_privacy_tokens WHERE our_jid = $1`, d.ID.String())
		return err
	})
	return errors.Join(err, wrap("delete the device", c.inner.DeleteDevice(ctx, d)))
}

// adopt puts our stores in place of the plain ones.
func (c *devices) adopt(d *wastore.Device) {
	d.Container = c
	d.LIDs = c.lids
	d.SetAllStores(newSessions(c.store, sqlstore.NewSQLStore(c.inner, *d.ID)))
}
