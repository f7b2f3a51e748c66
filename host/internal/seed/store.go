package seed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/events"
	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	maxName      = 100    // of an instance, in bytes
	maxInstances = 10_000 // with data in the host's database
	maxWebhooks  = 20     // per instance, one for each label
	maxEnabled   = 3      // of an instance's webhooks, as in the seed
	// leftOver is the minimum age of a row to be pruned. A younger one may be missing from the list
	// of instances only because the list is older.
	leftOver = time.Hour
)

// websocketKind is the only kind of outlets; package events stores the webhooks.
const websocketKind = "websocket"

// store stores the rotations and outlets of instances. A row that was not deleted with its instance
// is pruned when the account lists its instances.
type store struct {
	db    *sqldb.DB
	now   func() time.Time
	hooks *events.Service
}

// rotation reads the rotation of an instance's token.
func (s store) rotation(ctx context.Context, instance string) (rotation string, err error) {
	err = s.db.Row(ctx, `SELECT rotation FROM engine_instances WHERE name = $1`, []any{instance}, &rotation)
	return rotation, err
}

// rotationOf is like rotation, but first makes a row for an instance that has none.
func (s store) rotationOf(ctx context.Context, instance string) (string, error) {
	rotation, err := s.rotation(ctx, instance)
	if !errors.Is(err, sqldb.ErrNotFound) {
		return rotation, err
	}
	err = s.db.Write(ctx, "note an instance", func(t *sqldb.Tx) error { return s.ensure(t, instance) })
	if err != nil {
		return "", err
	}
	return s.rotation(ctx, instance)
}

// rotate gives an instance a new rotation, which makes its old token invalid.
func (s store) rotate(ctx context.Context, instance string) (rotation string, err error) {
	rotation = rand.Text()
	err = s.db.Write(ctx, "rotate a token", func(t *sqldb.Tx) error {
		if err := s.ensure(t, instance); err != nil {
			return err
		}
		_, err := t.Exec(`UPDATE engine_instances SET rotation = $2 WHERE name = $1`, instance, rotation)
		return err
	})
	return rotation, err
}

// rotations reads the rotations of all instances. The given instances get a row first if they have
// none.
func (s store) rotations(ctx context.Context, instances []string) (map[string]string, error) {
	out := map[string]string{}
	read := func() error {
		_, err := sqldb.All(ctx, s.db, func(row sqldb.Scanner) (struct{}, error) {
			var name, rotation string
			err := row.Scan(&name, &rotation)
			out[name] = rotation
			return struct{}{}, err
		}, `SELECT name, rotation FROM engine_instances`)
		return err
	}
	err := read()
	missing := slices.DeleteFunc(slices.Clone(instances), func(name string) bool { return out[name] != "" })
	if err != nil || len(missing) == 0 {
		return out, err
	}
	err = s.db.Write(ctx, "note new instances", func(t *sqldb.Tx) error {
		for _, name := range missing {
			if err := s.ensure(t, name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, read()
}

// ensure makes a row for an instance if it has none.
func (s store) ensure(t *sqldb.Tx, instance string) error {
	n, err := t.Exec(`INSERT INTO engine_instances (name, rotation, created_at) SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS BIGINT)
		WHERE (SELECT count(*) FROM engine_instances) < $4 ON CONFLICT (name) DO NOTHING`,
		instance, rand.Text(), sqldb.Millis(s.now()), maxInstances)
	if err != nil || n > 0 {
		return err
	}
	var count int
	if err := t.Row(`SELECT count(*) FROM engine_instances WHERE name = $1`, []any{instance}, &count); err != nil || count > 0 {
		return err
	}
	return refuse(http.StatusServiceUnavailable, "too_many_instances", "The host keeps tokens for no more instances; delete some")
}

// renew makes a row for an instance that was just created, and deletes everything of an earlier
// instance of that name.
func (s store) renew(ctx context.Context, instance string, hook *webhook) (rotation string, err error) {
	rotation = rand.Text()
	err = s.db.Write(ctx, "note an instance", func(t *sqldb.Tx) error {
		if _, err := t.Exec(`DELETE FROM engine_instances WHERE name = $1`, instance); err != nil {
			return err
		}
		if err := s.ensure(t, instance); err != nil {
			return err
		}
		if _, err := t.Exec(`UPDATE engine_instances SET rotation = $2 WHERE name = $1`, instance, rotation); err != nil {
			return err
		}
		if hook != nil {
			return s.hooks.Put(t, instance, hook.settings(), hook.Enabled)
		}
		return events.Forgot(t) // the webhooks of an earlier instance are deleted
	})
	if err == nil {
		s.hooks.Changed()
	}
	return rotation, err
}

// forget removes everything of an instance.
func (s store) forget(ctx context.Context, instance string) error {
	err := s.db.Write(ctx, "forget an instance", func(t *sqldb.Tx) error {
		if _, err := t.Exec(`DELETE FROM engine_instances WHERE name = $1`, instance); err != nil {
			return err
		}
		return events.Forgot(t)
	})
	if err == nil {
		s.hooks.Changed()
	}
	return err
}

// prune deletes the known instances that do not exist any more.
func (s store) prune(ctx context.Context, known map[string]string, there []string) error {
	left := maps.Clone(known)
	for _, name := range there {
		delete(left, name)
	}
	gone := slices.Sorted(maps.Keys(left))
	if len(gone) == 0 {
		return nil
	}
	before := sqldb.Millis(s.now().Add(-leftOver))
	err := s.db.Write(ctx, "forget instances that are gone", func(t *sqldb.Tx) error {
		for _, name := range gone {
			if _, err := t.Exec(`DELETE FROM engine_instances WHERE name = $1 AND created_at < $2`, name, before); err != nil {
				return err
			}
		}
		return events.Forgot(t)
	})
	if err == nil {
		s.hooks.Changed()
	}
	return err
}

// outlets reads an instance's outlets of a kind, ordered by label.
func outlets[T any](ctx context.Context, q sqldb.Querier, instance, kind string) ([]T, error) {
	return sqldb.All(ctx, q, func(row sqldb.Scanner) (out T, err error) {
		var raw []byte
		if err = row.Scan(&raw); err == nil {
			err = json.Unmarshal(raw, &out)
		}
		return out, err
	}, `SELECT settings FROM engine_outlets WHERE instance = $1 AND kind = $2 ORDER BY label`, instance, kind)
}

// put stores an outlet. It replaces the outlet with the same label.
func (s store) put(t *sqldb.Tx, instance, kind, label string, settings any) error {
	raw, err := json.Marshal(settings)
	if err == nil {
		err = s.ensure(t, instance)
	}
	if err == nil {
		_, err = t.Exec(`INSERT INTO engine_outlets (instance, kind, label, settings) VALUES ($1, $2, $3, $4)
			ON CONFLICT (instance, kind, label) DO UPDATE SET settings = excluded.settings`, instance, kind, label, string(raw))
	}
	return err
}
