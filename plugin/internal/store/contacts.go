package store

import (
	"context"
	"strings"
	"time"
)

// wroteEvery is how exactly the last time is known that somebody wrote: often enough
// for the retention, seldom enough to cost nothing.
const wroteEvery = 24 * time.Hour

// wrote notes that somebody has written to the instance in private.
func (s *Store) wrote(t *tx, m Message) error {
	for _, jid := range [...]string{m.Chat.JID, m.Chat.LID} {
		if jid == "" || strings.HasSuffix(jid, "@g.us") {
			continue
		}
		_, err := t.exec(`INSERT INTO tapnode_contacts (instance, jid, wrote_at) VALUES ($1, $2, $3)
			ON CONFLICT (instance, jid) DO UPDATE SET wrote_at = excluded.wrote_at WHERE tapnode_contacts.wrote_at < $4`,
			m.Instance, jid, millis(s.now()), millis(s.now().Add(-wroteEvery)))
		if err != nil {
			return err
		}
	}
	return nil
}

// Wrote reports whether somebody, under either name of the chat, has written to the
// instance, as far as it remembers: within the retention.
func (s *Store) Wrote(ctx context.Context, instance string, chat Chat) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT count(*) FROM tapnode_contacts WHERE instance = $1 AND jid IN ($2, $3) AND jid <> ''`,
		[]any{instance, chat.JID, chat.LID}, &n)
	return n > 0, wrap("look for the contact", err)
}
