package events

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// versioned are names such as whatsapp.button.clicked.v1.
var versioned = regexp.MustCompile(`^[a-zA-Z0-9_.-]+\.v[0-9]+$`)

// store keeps webhooks.
type store struct {
	db  *sqldb.DB
	now func() time.Time
}

const webhookColumns = `id, coalesce(owner, ''), label, settings, rotation, previous, previous_until, enabled, reason, position, lost, created_at`

func scanWebhook(row sqldb.Scanner) (*Webhook, error) {
	var w Webhook
	var label string
	var settings []byte
	var until, enabled, created int64
	err := row.Scan(&w.ID, &w.Owner, &label, &settings, &w.rotation, &w.previous, &until, &enabled, &w.Reason, &w.position, &w.Lost, &created)
	if err == nil {
		err = json.Unmarshal(settings, &w.Settings)
	}
	w.Label, w.Enabled, w.Created, w.previousUntil = label, enabled == 1, sqldb.Time(created), sqldb.Time(until)
	if w.Owner != "" {
		w.Form = formSeed
	}
	w.Parallel = cmp.Or(w.Parallel, defaultParallel)
	return &w, err
}

// all are those without an owner, newest last, or also the others.
func (s store) all(ctx context.Context, q sqldb.Querier, owned bool) ([]*Webhook, error) {
	query := `SELECT ` + webhookColumns + ` FROM engine_webhooks WHERE owner IS NULL ORDER BY created_at, id`
	if owned {
		query = `SELECT ` + webhookColumns + ` FROM engine_webhooks`
	}
	return sqldb.All(ctx, q, scanWebhook, query)
}

func (s store) find(ctx context.Context, q sqldb.Querier, id string) (*Webhook, error) {
	return sqldb.One(ctx, q, scanWebhook, `SELECT `+webhookColumns+` FROM engine_webhooks WHERE id = $1`, id)
}

// of are the webhooks of an instance.
func (s store) of(ctx context.Context, q sqldb.Querier, owner string) ([]*Webhook, error) {
	return sqldb.All(ctx, q, scanWebhook, `SELECT `+webhookColumns+` FROM engine_webhooks WHERE owner = $1 ORDER BY label`, owner)
}

// insert stores a new webhook, which gets what comes from now on.
func (s store) insert(t *sqldb.Tx, w *Webhook) error {
	settings, err := json.Marshal(w.Settings)
	if err != nil {
		return err
	}
	w.ID, w.Created = "wh_"+rand.Text(), s.now().UTC().Truncate(time.Millisecond)
	if w.Owner == "" {
		w.rotation = rand.Text()
	}
	_, err = t.Exec(`INSERT INTO engine_webhooks (id, owner, label, settings, rotation, previous, previous_until, enabled, reason, position, lost, logged, created_at)
		SELECT $1, CAST(nullif($2, '') AS TEXT), $3, $4, $5, '', 0, $6, '', seq, 0, 0, $7 FROM engine_totals WHERE id = 1`,
		w.ID, w.Owner, w.Label, string(settings), w.rotation, flag(w.Enabled), sqldb.Millis(w.Created))
	if err != nil {
		return err
	}
	return changed(t)
}

// update stores changed settings. One that is enabled again gets what comes from now on; one that
// is disabled leaves what waited for it as dead letters.
func (s store) update(t *sqldb.Tx, was, now *Webhook) error {
	settings, err := json.Marshal(now.Settings)
	if err != nil {
		return err
	}
	if _, err := t.Exec(`UPDATE engine_webhooks SET label = $2, settings = $3, enabled = $4, reason = $5 WHERE id = $1`,
		now.ID, now.Label, string(settings), flag(now.Enabled), now.Reason); err != nil {
		return err
	}
	switch {
	case now.Enabled && !was.Enabled:
		_, err = t.Exec(`UPDATE engine_webhooks SET position = (SELECT seq FROM engine_totals WHERE id = 1) WHERE id = $1`, now.ID)
	case was.Enabled && !now.Enabled:
		err = s.bury(t, now.ID)
	}
	if err != nil {
		return err
	}
	return changed(t)
}

// bury makes dead letters of what waits for a webhook that is disabled.
func (s store) bury(t *sqldb.Tx, id string) error {
	_, err := t.Exec(`INSERT INTO engine_webhook_dead (webhook, seq, id, type, instance, run, at, data, attempt, code, error, stored_at)
		SELECT q.webhook, e.seq, e.id, e.type, e.instance, e.run, e.at, e.data, q.attempt, $2, 'the webhook was disabled', $3
		FROM engine_webhook_queue AS q JOIN engine_events AS e ON e.seq = q.seq WHERE q.webhook = $1
		ON CONFLICT (webhook, seq) DO NOTHING`, id, codeDisabled, sqldb.Millis(s.now()))
	if err == nil {
		_, err = t.Exec(`DELETE FROM engine_webhook_queue WHERE webhook = $1`, id)
	}
	return err
}

func (s store) rotate(t *sqldb.Tx, w *Webhook) error {
	w.previous, w.previousUntil, w.rotation = w.rotation, s.now().Add(overlap), rand.Text()
	_, err := t.Exec(`UPDATE engine_webhooks SET rotation = $2, previous = $3, previous_until = $4 WHERE id = $1`,
		w.ID, w.rotation, w.previous, sqldb.Millis(w.previousUntil))
	if err != nil {
		return err
	}
	return changed(t)
}

func (s store) remove(t *sqldb.Tx, id string) error {
	if _, err := t.Exec(`DELETE FROM engine_webhooks WHERE id = $1`, id); err != nil {
		return err
	}
	return changed(t)
}

// changed tells all hosts that webhooks have changed.
func changed(t *sqldb.Tx) error {
	_, err := t.Exec(`UPDATE engine_totals SET webhooks = webhooks + 1 WHERE id = 1`)
	return err
}

func (s store) changes(ctx context.Context) (n int64, err error) {
	err = s.db.Row(ctx, `SELECT webhooks FROM engine_totals WHERE id = 1`, nil, &n)
	return n, err
}

func flag(on bool) int64 {
	if on {
		return 1
	}
	return 0
}

// queued is an event that waits in the database.
type queued struct {
	position uint64
	lane     string
	attempt  int
	at       time.Time
	stored   time.Time // the event; zero: it is gone
}

func (s store) queue(ctx context.Context, id string) ([]queued, error) {
	return sqldb.All(ctx, s.db, func(row sqldb.Scanner) (q queued, err error) {
		var at, stored int64
		err = row.Scan(&q.position, &q.lane, &q.attempt, &at, &stored)
		q.at, q.stored = sqldb.Time(at), sqldb.Time(stored)
		return q, err
	}, `SELECT q.seq, q.lane, q.attempt, q.at, coalesce(e.stored_at, 0) FROM engine_webhook_queue AS q LEFT JOIN engine_events AS e ON e.seq = q.seq
		WHERE q.webhook = $1 ORDER BY q.seq`, id)
}

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

// dead are the oldest dead letters of a webhook after one.
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

// putLog keeps attempts, which are numbered from n on, in the place of the oldest.
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

// advance moves a webhook's position forward and counts attempts; it returns the number of the
// first of them. sqldb.ErrNotFound: there is no such webhook any more.
func advance(t *sqldb.Tx, webhook string, position uint64, attempts int) (first int64, err error) {
	var last int64
	err = t.Row(`UPDATE engine_webhooks SET position = CASE WHEN position < $2 THEN $2 ELSE position END, logged = logged + $3 WHERE id = $1 RETURNING logged`,
		[]any{webhook, int64(position), attempts}, &last)
	return last - int64(attempts), err
}

// log are the newest attempts, newest first.
func (s store) log(ctx context.Context, webhook string, limit int) ([]Attempt, error) {
	return sqldb.All(ctx, s.db, func(row sqldb.Scanner) (a Attempt, err error) {
		var at int64
		err = row.Scan(&a.Event, &a.Type, &at, &a.TookMs, &a.Attempt, &a.Status, &a.Error)
		a.Time = sqldb.Time(at)
		return a, err
	}, fmt.Sprintf(`SELECT event, type, at, took, attempt, status, error FROM engine_webhook_log WHERE webhook = $1 ORDER BY n DESC LIMIT %d`, limit), webhook)
}

const (
	// keepDead is how long a dead letter stays.
	keepDead = 30 * 24 * time.Hour
	// maxDead is how many a webhook has; the oldest go first.
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
