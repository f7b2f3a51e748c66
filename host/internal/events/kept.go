package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Undelivered is a dead letter: an event that is not tried any more.
type Undelivered struct {
	ID       string          `json:"id"` // the event's
	Position uint64          `json:"-"`
	Type     string          `json:"type"`
	Instance string          `json:"instance,omitempty"`
	Run      string          `json:"run,omitempty"`
	Time     time.Time       `json:"time"`
	Data     json.RawMessage `json:"data,omitempty"`
	Attempts int             `json:"attempts"`
	Code     string          `json:"code"` // expired, full, gone or disabled
	Error    string          `json:"error,omitempty"`
	Died     time.Time       `json:"diedAt"`
}

const deadColumns = `seq, id, type, instance, run, at, data, attempt, code, error, stored_at`

func scanDead(row sqldb.Scanner) (d Undelivered, err error) {
	var at, stored int64
	var data []byte
	err = row.Scan(&d.Position, &d.ID, &d.Type, &d.Instance, &d.Run, &at, &data, &d.Attempts, &d.Code, &d.Error, &stored)
	d.Time, d.Died, d.Data = sqldb.Time(at), sqldb.Time(stored), data
	return d, err
}

// dead returns the oldest dead letters of a webhook after the one of a given event.
func (s store) dead(ctx context.Context, webhook, after string, limit int) ([]Undelivered, error) {
	return sqldb.All(ctx, s.db, scanDead, `SELECT `+deadColumns+` FROM engine_webhook_dead WHERE webhook = $1
		AND seq > coalesce((SELECT seq FROM engine_webhook_dead WHERE webhook = $1 AND id = $2), 0) ORDER BY seq LIMIT $3`, webhook, after, limit)
}

func (s store) deadOne(ctx context.Context, webhook, id string) (Undelivered, error) {
	return sqldb.One(ctx, s.db, scanDead, `SELECT `+deadColumns+` FROM engine_webhook_dead WHERE webhook = $1 AND id = $2`, webhook, id)
}

func putDead(t *sqldb.Tx, webhook string, d Undelivered) error {
	_, err := t.Exec(`INSERT INTO engine_webhook_dead (webhook, `+deadColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (webhook, seq) DO UPDATE SET attempt = excluded.attempt, error = excluded.error`,
		webhook, int64(d.Position), d.ID, d.Type, d.Instance, d.Run, sqldb.Millis(d.Time), []byte(d.Data), d.Attempts, d.Code, d.Error, sqldb.Millis(d.Died))
	return err
}

func dropDead(t *sqldb.Tx, webhook, id string) (int64, error) {
	return t.Exec(`DELETE FROM engine_webhook_dead WHERE webhook = $1 AND id = $2`, webhook, id)
}

// logSlots is how many attempts of a webhook are kept.
const logSlots = 500

// putLog stores attempts, numbered from n on, in place of the oldest ones.
func putLog(t *sqldb.Tx, webhook string, n int64, attempts []Attempt) error {
	for i, a := range attempts {
		if len(attempts)-i > logSlots {
			continue
		}
		at := n + int64(i)
		_, err := t.Exec(`INSERT INTO engine_webhook_log (webhook, slot, n, event, type, at, took, attempt, status, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (webhook, slot) DO UPDATE SET n = excluded.n, event = excluded.event, type = excluded.type, at = excluded.at, took = excluded.took,
			attempt = excluded.attempt, status = excluded.status, error = excluded.error`,
			webhook, at%logSlots, at, a.Event, a.Type, sqldb.Millis(a.Time), a.TookMs, a.Attempt, a.Status, a.Error)
		if err != nil {
			return err
		}
	}
	return nil
}

// advance moves a webhook's position forward and adds to its count of attempts; it returns the
// number of the first of them. It fails with sqldb.ErrNotFound if the webhook was removed.
func advance(t *sqldb.Tx, webhook string, position uint64, attempts int) (first int64, err error) {
	var last int64
	err = t.Row(`UPDATE engine_webhooks SET position = CASE WHEN position < $2 THEN $2 ELSE position END, logged = logged + $3 WHERE id = $1 RETURNING logged`,
		[]any{webhook, int64(position), attempts}, &last)
	return last - int64(attempts), err
}

// log returns the newest attempts of a webhook, newest first.
func (s store) log(ctx context.Context, webhook string, limit int) ([]Attempt, error) {
	return sqldb.All(ctx, s.db, func(row sqldb.Scanner) (a Attempt, err error) {
		var at int64
		err = row.Scan(&a.Event, &a.Type, &at, &a.TookMs, &a.Attempt, &a.Status, &a.Error)
		a.Time = sqldb.Time(at)
		return a, err
	}, fmt.Sprintf(`SELECT event, type, at, took, attempt, status, error FROM engine_webhook_log WHERE webhook = $1 ORDER BY n DESC LIMIT %d`, limit), webhook)
}

const (
	// keepDead is how long a dead letter is kept.
	keepDead = 30 * 24 * time.Hour
	// maxDead is how many dead letters a webhook may have; the oldest are removed first.
	maxDead = 10_000
)

// sweep removes dead letters that are too old or too many.
func (s store) sweep(ctx context.Context) error {
	return s.db.WriteUnsynced(ctx, "remove old dead letters of webhooks", func(t *sqldb.Tx) error {
		if _, err := t.Exec(`DELETE FROM engine_webhook_dead WHERE stored_at < $1`, sqldb.Millis(s.now().Add(-keepDead))); err != nil {
			return err
		}
		type full struct {
			id   string
			over int64
		}
		all, err := sqldb.All(t.Context(), t, func(row sqldb.Scanner) (f full, err error) {
			err = row.Scan(&f.id, &f.over)
			return f, err
		}, `SELECT webhook, count(*) - $1 FROM engine_webhook_dead GROUP BY webhook HAVING count(*) > $1`, maxDead)
		for _, f := range all {
			if err == nil {
				_, err = t.Exec(`DELETE FROM engine_webhook_dead WHERE webhook = $1 AND seq IN (SELECT seq FROM engine_webhook_dead WHERE webhook = $1 ORDER BY seq LIMIT $2)`, f.id, f.over)
			}
			if err == nil {
				_, err = t.Exec(`UPDATE engine_webhooks SET lost = lost + $2 WHERE id = $1`, f.id, f.over)
			}
		}
		return err
	})
}
