package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tapnode/tapnode/internal/sqldb"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
)

// Devices is whatsmeow's device container on our database, with the reads and
// writes that every send repeats made cheaper (see sessions.go).
type Devices struct {
	db    *sqldb.DB
	inner *sqlstore.Container
	lids  *lids

	decryptions chan struct{} // how many wait for their turn to write, at most
}

// maxDecryptions leaves most of the connections to readers: only one decryption
// can write at a time anyway.
const maxDecryptions = 4

var _ wastore.DeviceContainer = (*Devices)(nil)

// New returns the devices of a database. [Devices.Upgrade] makes their tables.
func New(db *sqldb.DB, log *slog.Logger) *Devices {
	inner := sqlstore.NewWithDB(db.SQL(), db.Dialect(), waLogger{log})
	return &Devices{db: db, inner: inner, lids: &lids{LIDStore: inner.LIDMap}, decryptions: make(chan struct{}, maxDecryptions)}
}

// Upgrade makes or migrates whatsmeow's tables. No other process may do so at the same
// time, see [sqldb.DB.Migrate].
func (c *Devices) Upgrade(ctx context.Context) error {
	return sqldb.Wrap("make whatsmeow's tables", c.inner.Upgrade(ctx))
}

// NewDevice makes an unpaired device. whatsmeow stores it when pairing succeeds.
func (c *Devices) NewDevice() *wastore.Device {
	d := c.inner.NewDevice()
	d.Container = c
	return d
}

// Device reads the paired device by its JID with the device number, as in
// the registry. Error: sqldb.ErrNotFound.
func (c *Devices) Device(ctx context.Context, jid types.JID) (*wastore.Device, error) {
	d, err := c.inner.GetDevice(ctx, jid)
	if err == nil && d == nil {
		err = sqldb.ErrNotFound
	}
	if err != nil {
		return nil, sqldb.Wrap("read the device", err)
	}
	c.adopt(d)
	return d, nil
}

// PutDevice stores a device; whatsmeow calls it through Device.Save.
func (c *Devices) PutDevice(ctx context.Context, d *wastore.Device) error {
	fresh := !d.Initialized
	if err := c.inner.PutDevice(ctx, d); err != nil {
		return sqldb.Wrap("store the device", err)
	}
	if fresh {
		c.adopt(d) // PutDevice has given it the plain stores
	}
	return nil
}

// DeleteDevice deletes a device and everything of it; whatsmeow calls it through
// Device.Delete.
func (c *Devices) DeleteDevice(ctx context.Context, d *wastore.Device) error {
	if d.ID == nil {
		return fmt.Errorf("delete the device: %w", sqlstore.ErrDeviceIDMustBeSet)
	}
	err := c.db.Write(ctx, "delete the device", func(t *sqldb.Tx) error {
		// whatsmeow's token table has no foreign key, so nothing else empties it.
		_, err := t.Exec(`DELETE FROM whatsmeow_privacy_tokens WHERE our_jid = $1`, d.ID.String())
		return err
	})
	return errors.Join(err, sqldb.Wrap("delete the device", c.inner.DeleteDevice(ctx, d)))
}

// adopt puts our stores in place of the plain ones.
func (c *Devices) adopt(d *wastore.Device) {
	d.Container = c
	d.LIDs = c.lids
	d.SetAllStores(newSessions(c, sqlstore.NewSQLStore(c.inner, *d.ID)))
}
