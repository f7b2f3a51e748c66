package access

import (
	"context"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// maxShown limits a list of sessions to those used last.
const maxShown = 500

// oversees says whether the caller may see and end the sessions of every token, and not only of its own.
func (c Caller) oversees() bool { return c.May(Manage) && c.All() }

// Sessions lists the open sessions that began with the caller's token or, for a caller that manages the
// host, all open sessions. The one used last comes first. Listing a session does not count as a use of it.
func (a *Access) Sessions(ctx context.Context, by Caller) ([]Session, error) {
	now := a.now()
	all, err := sqldb.All(ctx, a.db, scanSession, `SELECT `+sessionColumns+` FROM engine_sessions
		WHERE used_at > $1 AND created_at > $2 AND ($3 = 1 OR token = $4) ORDER BY used_at DESC, id LIMIT $5`,
		sqldb.Millis(now.Add(-idleTime)), sqldb.Millis(now.Add(-LifeTime)), flag(by.oversees()), by.ID, maxShown)
	if err != nil {
		return nil, sqldb.Wrap("list the sessions", err)
	}
	var out []Session
	for _, s := range all {
		s.Until = s.until()
		ok, err := a.backed(ctx, &s, now)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

// EndOf ends a session that the caller may see. ended is false if there is none.
func (a *Access) EndOf(ctx context.Context, by Caller, session string) (ended bool, err error) {
	err = a.db.Write(ctx, "end a session", func(t *sqldb.Tx) error {
		n, err := t.Exec(`DELETE FROM engine_sessions WHERE id = $1 AND ($2 = 1 OR token = $3)`, session, flag(by.oversees()), by.ID)
		ended = n > 0
		return err
	})
	return ended, err
}

// EndOthers ends all sessions that the caller may see, except its own, and returns their number.
func (a *Access) EndOthers(ctx context.Context, by Caller) (n int64, err error) {
	err = a.db.Write(ctx, "end other sessions", func(t *sqldb.Tx) (err error) {
		n, err = t.Exec(`DELETE FROM engine_sessions WHERE id <> $1 AND ($2 = 1 OR token = $3)`, by.Session, flag(by.oversees()), by.ID)
		return err
	})
	return n, err
}

func flag(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
