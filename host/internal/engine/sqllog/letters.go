package sqllog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// Cursor implements engine.Log.
func (l *Log) Cursor(ctx context.Context, subscription string) ([]byte, error) {
	var cursor []byte
	err := l.db.Row(ctx, `SELECT cursor FROM engine_cursors WHERE subscription = $1`, []any{subscription}, &cursor)
	if errors.Is(err, sqldb.ErrNotFound) {
		return nil, nil
	}
	return cursor, sqldb.Wrap("find a subscription's cursor", err)
}

// PutCursor implements engine.Log.
func (l *Log) PutCursor(ctx context.Context, c engine.Cursor) error {
	return l.db.WriteUnsynced(ctx, "store a subscription's cursor", func(t *sqldb.Tx) error {
		g, err := l.group(t)
		if err == nil {
			g.cursors = append(g.cursors, cursorRow{nil, c})
		}
		return err
	})
}

// DropCursor implements engine.Log.
func (l *Log) DropCursor(ctx context.Context, subscription string) error {
	return l.db.Write(ctx, "forget a subscription", l.change(func(t *sqldb.Tx) error {
		_, err := t.Exec(`DELETE FROM engine_cursors WHERE subscription = $1`, subscription)
		return err
	}))
}

// Bury implements engine.Log.
func (l *Log) Bury(ctx context.Context, letter engine.DeadLetter) error {
	data, err := json.Marshal(letter)
	if err != nil {
		return fmt.Errorf("keep dead letter %s: %w", letter.ID, err)
	}
	return l.db.Write(ctx, "keep a dead letter", l.change(func(t *sqldb.Tx) error {
		g, err := l.group(t)
		var seq int64
		if err == nil {
			seq, err = g.count(t, 1, total{})
		}
		if err == nil {
			_, err = t.Exec(`INSERT INTO engine_dead (seq, id, stored_at, data) VALUES ($1, $2, $3, $4)
				ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, stored_at = excluded.stored_at, data = excluded.data`,
				seq, letter.ID, sqldb.Millis(l.now()), data)
		}
		if err == nil {
			_, err = t.Exec(`DELETE FROM engine_dead WHERE seq <= (SELECT seq FROM engine_dead ORDER BY seq DESC LIMIT 1 OFFSET $1)`, engine.MaxDeadLetters)
		}
		return err
	}))
}

func scanLetter(row sqldb.Scanner) (letter engine.DeadLetter, err error) {
	var data []byte
	if err := row.Scan(&data); err != nil {
		return letter, err
	}
	err = json.Unmarshal(data, &letter)
	return letter, err
}

// DeadLetters implements engine.Log.
func (l *Log) DeadLetters(ctx context.Context, after string, limit int) ([]engine.DeadLetter, error) {
	before := int64(1<<63 - 1)
	if after != "" {
		if err := l.db.Row(ctx, `SELECT seq FROM engine_dead WHERE id = $1`, []any{after}, &before); err != nil {
			return nil, wrap("find a dead letter", err)
		}
	}
	letters, err := sqldb.All(ctx, l.db, scanLetter, `SELECT data FROM engine_dead WHERE seq < $1 ORDER BY seq DESC LIMIT $2`, before, limit)
	return letters, sqldb.Wrap("list dead letters", err)
}

// DeadLetter implements engine.Log.
func (l *Log) DeadLetter(ctx context.Context, id string) (engine.DeadLetter, error) {
	letter, err := sqldb.One(ctx, l.db, scanLetter, `SELECT data FROM engine_dead WHERE id = $1`, id)
	return letter, wrap("find a dead letter", err)
}

// DropDeadLetter implements engine.Log.
func (l *Log) DropDeadLetter(ctx context.Context, id string) error {
	return l.db.Write(ctx, "drop a dead letter", l.change(func(t *sqldb.Tx) error {
		_, err := t.Exec(`DELETE FROM engine_dead WHERE id = $1`, id)
		return err
	}))
}

// removeCursors removes the cursors of subscriptions that have not moved for long, or no longer
// exist. A subscription that comes back continues where the node's acknowledgements ended.
func (l *Log) removeCursors(t *sqldb.Tx) (more bool, err error) {
	n, err := t.Exec(`DELETE FROM engine_cursors WHERE subscription IN (
		SELECT subscription FROM engine_cursors WHERE stored_at < $1 ORDER BY stored_at LIMIT $2)`, l.before(), sqldb.SweepBatch)
	return n == sqldb.SweepBatch, err
}

// removeLetters removes dead letters that nobody has dealt with in time.
func (l *Log) removeLetters(t *sqldb.Tx) (more bool, err error) {
	n, err := t.Exec(`DELETE FROM engine_dead WHERE seq IN (SELECT seq FROM engine_dead WHERE stored_at < $1 ORDER BY stored_at LIMIT $2)`, l.before(), sqldb.SweepBatch)
	return n == sqldb.SweepBatch, err
}
