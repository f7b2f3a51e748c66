// Package cache remembers answers of WhatsApp's servers that can be requested again: which numbers
// are on WhatsApp, and which files its media servers hold for an instance. Every row expires, and
// over the limit the oldest are removed first.
package cache

import (
	"context"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Cache holds the answers in a database. Its methods are safe for concurrent use.
type Cache struct {
	db                  *sqldb.DB
	recipients, uploads int // how many are kept
	now                 func() time.Time
}

// New returns the cache of a migrated database.
func New(db *sqldb.DB, recipients, uploads int, now func() time.Time) *Cache {
	return &Cache{db: db, recipients: recipients, uploads: uploads, now: now}
}

// Sweeps lists the tables from which expired rows and rows over a limit are removed.
func (c *Cache) Sweeps() []sqldb.Sweep {
	now := c.now()
	return []sqldb.Sweep{
		{Table: "tapnode_recipients", Key: "query", Order: "expires_at", Over: "expires_at < $1", Before: now, Limit: c.recipients},
		{Table: "tapnode_uploads", Key: "instance, kind, sha256", Order: "expires_at", Over: "expires_at < $1", Before: now, Limit: c.uploads},
	}
}

// Forget removes the cached answers for an instance.
func Forget(t *sqldb.Tx, instance string) error {
	_, err := t.Exec(`DELETE FROM tapnode_uploads WHERE instance = $1`, instance)
	return err
}

// Recipient is the server's answer to whether a number is on WhatsApp.
type Recipient struct {
	Query     string // the digits asked about
	Found     bool
	Chat      recipient.Chat // when Found
	ExpiresAt time.Time
}

// Recipient reads a cached answer that has not expired. Error: sqldb.ErrNotFound.
func (c *Cache) Recipient(ctx context.Context, query string) (Recipient, error) {
	r := Recipient{Query: query}
	var expiresAt int64
	err := c.db.Row(sqldb.Apart(ctx), `SELECT found, jid, lid, expires_at FROM tapnode_recipients WHERE query = $1 AND expires_at > $2`,
		[]any{query, sqldb.Millis(c.now())}, &r.Found, &r.Chat.JID, &r.Chat.LID, &expiresAt)
	r.ExpiresAt = sqldb.Time(expiresAt)
	return r, sqldb.Wrap("read the recipient", err)
}

// PutRecipient caches an answer until its ExpiresAt. It does not wait for the write.
func (c *Cache) PutRecipient(ctx context.Context, r Recipient) error {
	return c.db.Hand(ctx, "store the recipient", func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO tapnode_recipients (query, found, jid, lid, expires_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (query) DO UPDATE SET found = excluded.found, jid = excluded.jid, lid = excluded.lid,
				expires_at = excluded.expires_at`, r.Query, r.Found, r.Chat.JID, r.Chat.LID, sqldb.Millis(r.ExpiresAt))
		return err
	})
}

// DropRecipient removes the answers that lead to a chat.
func (c *Cache) DropRecipient(ctx context.Context, chat recipient.Chat) error {
	return c.db.WriteUnsynced(ctx, "forget the recipient", func(t *sqldb.Tx) error {
		_, err := t.Exec(`DELETE FROM tapnode_recipients WHERE (jid <> '' AND jid = $1) OR (lid <> '' AND lid = $2)`, chat.JID, chat.LID)
		return err
	})
}

// Upload is a file that WhatsApp's media servers hold for an instance.
type Upload struct {
	Instance   string
	Kind       string // IMAGE, VIDEO or DOCUMENT
	SHA256     []byte // of the plain file
	Descriptor []byte // what a message needs to name it; opaque here
	ExpiresAt  time.Time
}

// Upload fills u.Descriptor from the cache by instance, kind and hash. Error:
// sqldb.ErrNotFound.
func (c *Cache) Upload(ctx context.Context, u Upload) (Upload, error) {
	var expiresAt int64
	err := c.db.Row(sqldb.Apart(ctx), `SELECT descriptor, expires_at FROM tapnode_uploads
		WHERE instance = $1 AND kind = $2 AND sha256 = $3 AND expires_at > $4`,
		[]any{u.Instance, u.Kind, u.SHA256, sqldb.Millis(c.now())}, &u.Descriptor, &expiresAt)
	u.ExpiresAt = sqldb.Time(expiresAt)
	return u, sqldb.Wrap("read the upload", err)
}

// PutUpload caches an upload until its ExpiresAt.
func (c *Cache) PutUpload(ctx context.Context, u Upload) error {
	return c.db.WriteUnsynced(ctx, "store the upload", func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO tapnode_uploads (instance, kind, sha256, descriptor, expires_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (instance, kind, sha256) DO UPDATE SET descriptor = excluded.descriptor, expires_at = excluded.expires_at`,
			u.Instance, u.Kind, u.SHA256, u.Descriptor, sqldb.Millis(u.ExpiresAt))
		return err
	})
}
