package events

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"regexp"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// versioned matches names such as whatsapp.button.clicked.v1.
var versioned = regexp.MustCompile(`^[a-zA-Z0-9_.-]+\.v[0-9]+$`)

// store reads and writes webhooks in the database.
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

// all returns the webhooks without an owner, oldest first; with owned, all webhooks in any order.
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

// of returns the webhooks that an instance owns.
func (s store) of(ctx context.Context, q sqldb.Querier, owner string) ([]*Webhook, error) {
	return sqldb.All(ctx, q, scanWebhook, `SELECT `+webhookColumns+` FROM engine_webhooks WHERE owner = $1 ORDER BY label`, owner)
}

// insert stores a new webhook. It gets the events that are stored from now on.
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

// update stores changed settings. A webhook that is enabled again gets the events from now on; when
// it is disabled, the events that wait for it become dead letters.
func (s store) update(t *sqldb.Tx, was, now *Webhook) error {
	settings, err := json.Marshal(now.Settings)
	if err != nil {
		return err
	}
	if _, err := t.Exec(`UPDATE engine_webhooks SET label = $2, settings = $3, enabled = $4, reason = $5 WHERE id = $1`,
		now.ID, now.Label, string(settings), flag(now.Enabled), now.Reason); err != nil {
		return err
	}
	if now.Enabled != was.Enabled { // also when it is enabled: calls in progress when it was disabled may have failed since
		err = s.bury(t, now.ID)
	}
	if err == nil && now.Enabled && !was.Enabled {
		_, err = t.Exec(`UPDATE engine_webhooks SET position = (SELECT seq FROM engine_totals WHERE id = 1) WHERE id = $1`, now.ID)
	}
	if err != nil {
		return err
	}
	return changed(t)
}

// bury turns the events that wait for a webhook into dead letters, because it is disabled.
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

// changed increments the counter by which all hosts notice that webhooks have changed.
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
	stored   time.Time // when the event was stored; zero if it was removed from the outbox
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
