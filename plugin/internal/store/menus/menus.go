// Package menus keeps the messages with buttons that were sent: clicks are matched against them and
// counted.
//
// If two presses arrive at once, the lock on the menu's row decides which is counted first;
// [Press.Count] counts a press in the transaction that stores the click.
package menus

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/recipient"
)

// Button is a button of a stored menu.
type Button struct {
	ID          string `json:"id"`
	DisplayText string `json:"displayText"`
	Type        string `json:"type"`
}

// Menu is a sent message with buttons, which clicks are matched against.
type Menu struct {
	Instance    string
	MessageID   string
	Chat        recipient.Chat
	Buttons     []Button
	Correlation string // returned with every click
	Traceparent string // of the send; returned with every click, too
	Source      string
	Clicks      int       // accepted so far
	SentAt      time.Time // the server's time, in whole seconds; until it is known, the intent's
	CreatedAt   time.Time // the intent's
	ExpiresAt   time.Time // zero: live while it is stored
	Policy      Policy
	Allowed     []string // JIDs of those whose presses count; none: everybody
	AsText      bool     // it went out as numbered text
}

// HasReply reports whether a button sends clicks back. It is false for a nil menu.
func (m *Menu) HasReply() bool {
	return m != nil && slices.ContainsFunc(m.Buttons, func(b Button) bool { return b.Type == "REPLY" })
}

// Name is the name that writes of a menu, and of the message it is part of, pass to
// sqldb.DB.WriteAhead.
func Name(instance, messageID string) string { return "message/" + instance + "/" + messageID }

const menuColumns = `instance, message_id, chat, chat_lid, buttons, correlation, source, clicks, sent_at, expires_at,
	policy, allowed, as_text, created_at, traceparent`

// Insert stores a menu in the transaction that stores its send.
func (m *Menu) Insert(t *sqldb.Tx) error {
	buttons, err := json.Marshal(m.Buttons)
	if err != nil {
		return err
	}
	allowed, err := json.Marshal(append([]string{}, m.Allowed...))
	if err != nil {
		return err
	}
	return t.Later(`INSERT INTO tapnode_menus (`+menuColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12, $13, $14)`,
		m.Instance, m.MessageID, m.Chat.JID, m.Chat.LID, buttons, m.Correlation, m.Source, sqldb.Millis(m.SentAt), sqldb.Millis(m.ExpiresAt),
		cmp.Or(m.Policy, All), string(allowed), m.AsText, sqldb.Millis(m.CreatedAt), m.Traceparent)
}

func scanMenu(row sqldb.Scanner) (Menu, error) {
	var m Menu
	var buttons, allowed []byte
	var sentAt, expiresAt, createdAt int64
	err := row.Scan(&m.Instance, &m.MessageID, &m.Chat.JID, &m.Chat.LID, &buttons, &m.Correlation, &m.Source,
		&m.Clicks, &sentAt, &expiresAt, &m.Policy, &allowed, &m.AsText, &createdAt, &m.Traceparent)
	if err != nil {
		return m, err
	}
	m.SentAt, m.ExpiresAt, m.CreatedAt = sqldb.Time(sentAt), sqldb.Time(expiresAt), sqldb.Time(createdAt)
	return m, errors.Join(json.Unmarshal(buttons, &m.Buttons), json.Unmarshal(allowed, &m.Allowed))
}

// Get reads the menu that the instance sent under messageID, live or not.
// Error: sqldb.ErrNotFound.
func (m *Menus) Get(ctx context.Context, instance, messageID string) (Menu, error) {
	found, err := sqldb.One(sqldb.Concerning(ctx, Name(instance, messageID)), m.db, scanMenu,
		`SELECT `+menuColumns+` FROM tapnode_menus WHERE instance = $1 AND message_id = $2`, instance, messageID)
	return found, sqldb.Wrap("read the menu", err)
}

// liveMenus is how many of a chat's newest menus Live considers.
const liveMenus = 50

// Live reads the chat's menus that had not expired at a time, the newest first, at most 50. Either
// of the chat's names is enough.
func (m *Menus) Live(ctx context.Context, instance string, chat recipient.Chat, at time.Time) ([]Menu, error) {
	// Two indexes, two queries: an OR over both columns would read neither well.
	var found []Menu
	for _, by := range [...]struct{ column, jid string }{{"chat", chat.JID}, {"chat_lid", chat.LID}} {
		if by.jid == "" {
			continue
		}
		menus, err := sqldb.All(ctx, m.db, scanMenu, `SELECT `+menuColumns+` FROM tapnode_menus
			WHERE instance = $1 AND `+by.column+` = $2 AND `+by.column+` <> '' AND (expires_at = 0 OR expires_at >= $3)
			ORDER BY created_at DESC LIMIT $4`, instance, by.jid, sqldb.Millis(at), liveMenus)
		if err != nil {
			return nil, sqldb.Wrap("read the chat's menus", err)
		}
		found = append(found, menus...)
	}
	slices.SortFunc(found, func(a, b Menu) int {
		return cmp.Or(b.SentAt.Compare(a.SentAt), b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.MessageID, b.MessageID))
	})
	found = slices.CompactFunc(found, func(a, b Menu) bool { return a.MessageID == b.MessageID })
	return found[:min(len(found), liveMenus)], nil
}

// Menus holds the menus of a database. Its methods are safe for concurrent use.
type Menus struct {
	db    *sqldb.DB
	keep  time.Duration
	limit int
	now   func() time.Time
}

// New returns the menus of a migrated database. A menu is kept for the time keep after it was sent
// or, if that is later, after it expired; over limit the oldest are removed first.
func New(db *sqldb.DB, keep time.Duration, limit int, now func() time.Time) *Menus {
	return &Menus{db: db, keep: keep, limit: limit, now: now}
}

// Sweeps lists the tables from which old rows and rows over the limit are removed.
func (m *Menus) Sweeps() []sqldb.Sweep {
	return []sqldb.Sweep{{Table: "tapnode_menus", Key: "instance, message_id", Order: "created_at",
		Over: "created_at < $1 AND expires_at < $1", Before: m.now().Add(-m.keep), Limit: m.limit}}
}

// Forget removes an instance's menus.
func Forget(t *sqldb.Tx, instance string) error {
	_, err := t.Exec(`DELETE FROM tapnode_menus WHERE instance = $1`, instance)
	return err
}
