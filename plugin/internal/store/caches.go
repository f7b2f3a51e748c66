package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Recipient is the server's answer to whether a number is on WhatsApp.
type Recipient struct {
	Query     string // the digits asked about
	Found     bool
	Chat      Chat // when Found
	ExpiresAt time.Time
}

// Recipient reads a cached answer that has not expired. Error: ErrNotFound.
func (s *Store) Recipient(ctx context.Context, query string) (Recipient, error) {
	r := Recipient{Query: query}
	var expiresAt int64
	err := s.row(ctx, `SELECT found, jid, lid, expires_at FROM tapnode_recipients WHERE query = $1 AND expires_at > $2`,
		[]any{query, millis(s.now())}, &r.Found, &r.Chat.JID, &r.Chat.LID, &expiresAt)
	r.ExpiresAt = fromMillis(expiresAt)
	return r, wrap("read the recipient", err)
}

// PutRecipient caches an answer until its ExpiresAt.
func (s *Store) PutRecipient(ctx context.Context, r Recipient) error {
	return s.writeUnsynced(ctx, "store the recipient", func(t *tx) error {
		_, err := t.exec(`INSERT INTO tapnode_recipients (query, found, jid, lid, expires_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (query) DO UPDATE SET found = excluded.found, jid = excluded.jid, lid = excluded.lid,
				expires_at = excluded.expires_at`, r.Query, r.Found, r.Chat.JID, r.Chat.LID, millis(r.ExpiresAt))
		return err
	})
}

// Message is one that was sent or received, kept so that it can be quoted.
type Message struct {
	Instance string
	ID       string
	Chat     Chat
	Sender   string // without device
	FromMe   bool
	Source   string // of a sent one: the request's
	Body     []byte // marshalled waE2E.Message
	SentAt   time.Time
}

// PutMessage keeps a message, and that its sender has written. The first one of an id
// stays: a stranger cannot replace it.
func (s *Store) PutMessage(ctx context.Context, m Message) error {
	return s.writeUnsynced(ctx, "store the message", func(t *tx) error { return s.keep(t, m) })
}

func (s *Store) keep(t *tx, m Message) error {
	if !m.FromMe {
		if err := s.wrote(t, m); err != nil {
			return err
		}
	}
	_, err := t.exec(`INSERT INTO tapnode_messages (instance, message_id, chat, chat_lid, sender, from_me, source, body, sent_at, stored_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (instance, message_id) DO NOTHING`,
		m.Instance, m.ID, m.Chat.JID, m.Chat.LID, m.Sender, m.FromMe, m.Source, m.Body, millis(m.SentAt), millis(s.now()))
	return err
}

// Message reads a kept message. Error: ErrNotFound.
func (s *Store) Message(ctx context.Context, instance, id string) (Message, error) {
	m := Message{Instance: instance, ID: id}
	var sentAt int64
	err := s.row(ctx, `SELECT chat, chat_lid, sender, from_me, source, body, sent_at FROM tapnode_messages
		WHERE instance = $1 AND message_id = $2`, []any{instance, id},
		&m.Chat.JID, &m.Chat.LID, &m.Sender, &m.FromMe, &m.Source, &m.Body, &sentAt)
	m.SentAt = fromMillis(sentAt)
	return m, wrap("read the message", err)
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
// ErrNotFound.
func (s *Store) Upload(ctx context.Context, u Upload) (Upload, error) {
	var expiresAt int64
	err := s.row(ctx, `SELECT descriptor, expires_at FROM tapnode_uploads
		WHERE instance = $1 AND kind = $2 AND sha256 = $3 AND expires_at > $4`,
		[]any{u.Instance, u.Kind, u.SHA256, millis(s.now())}, &u.Descriptor, &expiresAt)
	u.ExpiresAt = fromMillis(expiresAt)
	return u, wrap("read the upload", err)
}

// PutUpload caches an upload until its ExpiresAt.
func (s *Store) PutUpload(ctx context.Context, u Upload) error {
	return s.writeUnsynced(ctx, "store the upload", func(t *tx) error {
		_, err := t.exec(`INSERT INTO tapnode_uploads (instance, kind, sha256, descriptor, expires_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (instance, kind, sha256) DO UPDATE SET descriptor = excluded.descriptor, expires_at = excluded.expires_at`,
			u.Instance, u.Kind, u.SHA256, u.Descriptor, millis(u.ExpiresAt))
		return err
	})
}

// row reads one row; none is ErrNotFound.
func (s *Store) row(ctx context.Context, query string, args []any, dest ...any) error {
	err := s.db.QueryRowContext(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
