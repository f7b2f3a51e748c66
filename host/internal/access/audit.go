package access

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	maxEntries  = 100_000
	keepEntries = 365 * 24 * time.Hour
	maxAction   = 500 // bytes that are kept of each text
)

// The number of entries in a page of the audit log.
const (
	DefaultPage = 50
	MaxPage     = 500
)

// Entry records that a caller has changed something, or tried to.
type Entry struct {
	ID     string    `json:"id"` // sorts by time
	Time   time.Time `json:"time"`
	Caller string    `json:"caller"` // the id of the token, control, or an instance
	Name   string    `json:"name,omitempty"`
	Action string    `json:"action"`          // such as POST /v1/flows/menu/retire
	About  string    `json:"about,omitempty"` // details that the action does not show
	From   string    `json:"from,omitempty"`  // the address
	Status int       `json:"status"`          // of HTTP
}

// Record stores an entry, with an id and a time.
func (a *Access) Record(ctx context.Context, e Entry) error {
	now := a.now()
	id := fmt.Sprintf("%016x%s", now.UnixNano(), strings.ToLower(rand.Text()[:6]))
	return a.db.Write(ctx, "record an action", func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO engine_audit (id, stored_at, caller, name, action, about, origin, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			id, sqldb.Millis(now), clip(e.Caller), clip(e.Name), clip(e.Action), clip(e.About), clip(e.From), e.Status)
		return err
	})
}

// clip shortens a text to maxAction and makes it valid for every database.
func clip(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\ufffd"), "\ufffd")
	if len(text) <= maxAction {
		return text
	}
	return strings.ToValidUTF8(text[:maxAction], "")
}

// Audit returns a page of the log, the newest entries first. before is the id of the last entry of the
// previous page, or empty.
func (a *Access) Audit(ctx context.Context, before string, limit int) ([]Entry, error) {
	entries, err := sqldb.All(ctx, a.db, func(row sqldb.Scanner) (e Entry, err error) {
		var at int64
		err = row.Scan(&e.ID, &at, &e.Caller, &e.Name, &e.Action, &e.About, &e.From, &e.Status)
		e.Time = sqldb.Time(at)
		return e, err
	}, `SELECT id, stored_at, caller, name, action, about, origin, status FROM engine_audit WHERE CAST($1 AS TEXT) = '' OR id < $1 ORDER BY id DESC LIMIT $2`, before, max(1, min(limit, MaxPage)))
	return entries, sqldb.Wrap("read the audit log", err)
}
