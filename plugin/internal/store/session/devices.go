// Package session implements whatsmeow's stores on our database: devices and their Signal sessions.
//
// What the package guarantees:
//
//   - The ratchets of a send are on disk before whatsmeow sends the message, and no message that is
//     decrypted meanwhile resets them.
//   - The ratchet that an incoming message advances, the mark that the message was handled and what
//     it became are stored in one transaction, which is on disk before WhatsApp gets the message's
//     acknowledgement. A message that cannot be stored counts as never decrypted: its ratchet is
//     where it was, and so are those of the messages decrypted after it.
//   - Only the next decryption builds on a decryption that is not stored yet, and none is stored on
//     a ratchet that another process has advanced.
//   - The memory never holds data that a transaction may still undo, nor data that a write has
//     replaced, and it is read anew for every connection.
package session

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	"go.mau.fi/whatsmeow/types"
	waLog "go.mau.fi/whatsmeow/util/log"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Devices is whatsmeow's device container on our database, with the reads and
// writes that every send repeats made cheaper (see sessions.go).
type Devices struct {
	db    *sqldb.DB
	inner *sqlstore.Container
	lids  *lids
	now   func() time.Time

	decryptions chan struct{} // bounds the decryptions that wait for their turn to write
}

// maxDecryptions leaves most of the connections to readers: only one decryption
// can write at a time anyway.
const maxDecryptions = 4

var _ wastore.DeviceContainer = (*Devices)(nil)

// New returns the devices of a database. [Devices.Upgrade] creates their tables.
func New(db *sqldb.DB, log *slog.Logger, now func() time.Time) *Devices {
	inner := sqlstore.NewWithDB(db.SQL(), db.Dialect(), waLogger{log})
	return &Devices{db: db, inner: inner, now: now, lids: &lids{LIDStore: inner.LIDMap}, decryptions: make(chan struct{}, maxDecryptions)}
}

// Upgrade creates or migrates whatsmeow's tables. No other process may do so at the same time, see
// [sqldb.DB.Migrate].
func (c *Devices) Upgrade(ctx context.Context) error {
	if err := c.inner.Upgrade(ctx); err != nil {
		return sqldb.Wrap("make whatsmeow's tables", err)
	}
	_, err := c.db.SQL().ExecContext(ctx, `CREATE INDEX IF NOT EXISTS tapnode_event_buffer_age ON whatsmeow_event_buffer (insert_timestamp)`)
	return sqldb.Wrap("index whatsmeow's event buffer", err)
}

// bufferedFor is how long a handled message is remembered: WhatsApp may deliver a message again for
// 14 days.
const bufferedFor = 15 * 24 * time.Hour

// Sweeps lists the tables from which old rows are removed.
func (c *Devices) Sweeps() []sqldb.Sweep {
	return []sqldb.Sweep{{Table: "whatsmeow_event_buffer", Key: "our_jid, ciphertext_hash", Order: "insert_timestamp",
		Over: "insert_timestamp < $1", Before: c.now().Add(-bufferedFor)}}
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

// DeleteDevice deletes a device and all its data; whatsmeow calls it through Device.Delete.
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
	own := newSessions(c, sqlstore.NewSQLStore(c.inner, *d.ID))
	d.Container = c
	d.LIDs = deviceLIDs{c.lids, &own.guarded}
	d.SetAllStores(own)
}

// waLogger passes messages of whatsmeow's session store to our log. Their arguments may be
// addresses, which are phone numbers, so only the level and the format reach the log.
type waLogger struct{ log *slog.Logger }

var _ waLog.Logger = waLogger{}

// Errorf logs the format at level error.
func (l waLogger) Errorf(format string, _ ...any) { l.log.Error("session store", "event", format) }

// Warnf logs the format at level warn.
func (l waLogger) Warnf(format string, _ ...any) { l.log.Warn("session store", "event", format) }

// Infof logs the format at level debug.
func (l waLogger) Infof(format string, _ ...any) { l.log.Debug("session store", "event", format) }

// Debugf discards.
func (l waLogger) Debugf(string, ...any) {}

// Sub names the module.
func (l waLogger) Sub(module string) waLog.Logger {
	return waLogger{l.log.With(slog.String("module", module))}
}

// whatsmeow passes lists of strings to ANY($1); pgx encodes a []string itself, so
// the wrapper only has to carry it.
func init() { sqlstore.PostgresArrayWrapper = wrapArray }

// array carries a list through sqlstore's driver.Valuer and sql.Scanner to pgx,
// as the text form of a Postgres array.
type array struct{ list []string }

func wrapArray(v any) interface {
	driver.Valuer
	sql.Scanner
} {
	list, _ := v.([]string)
	return array{list}
}

// Value is the array's text form.
func (a array) Value() (driver.Value, error) {
	buf, err := pgtype.NewMap().Encode(pgtype.TextArrayOID, pgtype.TextFormatCode, a.list, nil)
	return string(buf), err
}

// Scan is not used: whatsmeow only writes arrays.
func (a array) Scan(any) error { return errors.New("arrays are write-only") }
