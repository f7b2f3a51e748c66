package sqllog

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// PutFlow implements engine.Log.
func (l *Log) PutFlow(ctx context.Context, v engine.Version) error {
	var told bool
	err := l.db.Write(ctx, "keep a version of flow "+v.Flow, l.change(func(t *sqldb.Tx) (err error) {
		told, err = l.putFlow(t, v)
		return err
	}))
	if err == nil && told {
		l.flows.wake()
	}
	return err
}

// putFlow says whether what is published has changed.
func (l *Log) putFlow(t *sqldb.Tx, v engine.Version) (told bool, err error) {
	var was engine.Version
	err = t.Row(`SELECT number, state, manifests, source FROM engine_flows WHERE digest = $1`, []any{v.Digest}, &was.Number, &was.State, &was.Manifests, &was.Source)
	known := err == nil
	if err != nil && !errors.Is(err, sqldb.ErrNotFound) {
		return false, err
	}
	if v.State == engine.Draft {
		if known && was.State != engine.Draft {
			return false, nil
		}
		if _, err := t.Exec(`DELETE FROM engine_flows WHERE flow = $1 AND state = 'draft'`, v.Flow); err != nil {
			return false, err
		}
	} else {
		v.State = engine.Published
		if was.State == v.State && was.Manifests == v.Manifests && string(was.Source) == string(v.Source) {
			return false, nil
		}
		if err := l.retire(t, v.Flow); err != nil {
			return false, err
		}
	}
	if v.Number = was.Number; !known {
		if err := t.Row(`SELECT coalesce(max(number), 0) + 1 FROM engine_flows WHERE flow = $1`, []any{v.Flow}, &v.Number); err != nil {
			return false, err
		}
	}
	_, err = t.Exec(`INSERT INTO engine_flows (digest, flow, source, deployed_at, number, state, manifests) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (digest) DO UPDATE SET source = excluded.source, deployed_at = excluded.deployed_at, state = excluded.state, manifests = excluded.manifests`,
		v.Digest, v.Flow, v.Source, sqldb.Millis(l.now()), v.Number, string(v.State), v.Manifests)
	if err != nil || v.State == engine.Draft {
		return false, err
	}
	return true, tell(t)
}

func (l *Log) retire(t *sqldb.Tx, flow string) error {
	_, err := t.Exec(`UPDATE engine_flows SET state = 'retired', deployed_at = $2 WHERE flow = $1 AND state = 'published'`, flow, sqldb.Millis(l.now()))
	return err
}

// tell lets every host see that what is published has changed.
func tell(t *sqldb.Tx) error {
	_, err := t.Exec(`UPDATE engine_totals SET flows = flows + 1 WHERE id = 1`)
	return err
}

// Retire implements engine.Archive.
func (l *Log) Retire(ctx context.Context, flow string) error {
	var absent bool
	err := l.db.Write(ctx, "retire flow "+flow, l.change(func(t *sqldb.Tx) error {
		var n int
		err := t.Row(`SELECT count(*) FROM engine_flows WHERE flow = $1 AND state = 'published'`, []any{flow}, &n)
		if absent = n == 0; err != nil || absent {
			return err
		}
		return errors.Join(l.retire(t, flow), tell(t))
	}))
	if err == nil && absent {
		return engine.ErrNotFound
	}
	l.flows.wake()
	return err
}

const versionColumns = `digest, flow, number, state, manifests, deployed_at`

func versionRow(row sqldb.Scanner) (v engine.Version, err error) { return scanVersion(row) }

func sourceRow(row sqldb.Scanner) (v engine.Version, err error) {
	var source []byte
	v, err = scanVersion(row, &source)
	v.Source = source
	return v, err
}

func scanVersion(row sqldb.Scanner, more ...any) (v engine.Version, err error) {
	var changed int64
	err = row.Scan(append([]any{&v.Digest, &v.Flow, &v.Number, &v.State, &v.Manifests, &changed}, more...)...)
	v.Changed = sqldb.Time(changed)
	return v, err
}

// Flow implements engine.Log.
func (l *Log) Flow(ctx context.Context, digest string) (engine.Version, error) {
	v, err := sqldb.One(ctx, l.db, sourceRow, `SELECT `+versionColumns+`, source FROM engine_flows WHERE digest = $1`, digest)
	return v, wrap("find a version of a flow", err)
}

// maxVersions is how many versions of a flow are listed.
const maxVersions = 1000

// Versions implements engine.Archive.
func (l *Log) Versions(ctx context.Context, flow string) ([]engine.Version, error) {
	all, err := sqldb.All(ctx, l.db, versionRow, `SELECT `+versionColumns+` FROM engine_flows WHERE flow = $1 ORDER BY number DESC LIMIT $2`, flow, maxVersions)
	return all, sqldb.Wrap("list the versions of a flow", err)
}

// Published implements engine.Archive.
func (l *Log) Published(ctx context.Context) (generation uint64, all []engine.Version, err error) {
	if generation, err = l.generation(ctx); err != nil { // before the rows: what comes between is seen again
		return 0, nil, err
	}
	all, err = sqldb.All(ctx, l.db, sourceRow, `SELECT `+versionColumns+`, source FROM engine_flows WHERE state = 'published' ORDER BY flow`)
	return generation, all, sqldb.Wrap("read the published flows", err)
}

func (l *Log) generation(ctx context.Context) (n uint64, err error) {
	err = l.db.Row(ctx, `SELECT flows FROM engine_totals WHERE id = 1`, nil, &n)
	return n, sqldb.Wrap("read what is published", err)
}

// Changed implements engine.Archive.
func (l *Log) Changed(ctx context.Context, generation uint64) error {
	for {
		more := l.flows.next()
		now, err := l.generation(ctx)
		if err != nil || now != generation {
			return err
		}
		if !l.sleepAtMost(ctx, more, flowPoll) {
			return cmp.Or(context.Cause(ctx), sqldb.ErrClosed)
		}
	}
}

// flowPoll is how long what another host publishes may go unseen.
const flowPoll = time.Second

// removeFlows removes versions that are not published any more, for long, and have no run.
func (l *Log) removeFlows(t *sqldb.Tx) (more bool, err error) {
	n, err := t.Exec(`DELETE FROM engine_flows WHERE digest IN (
		SELECT digest FROM engine_flows AS old WHERE deployed_at < $1 AND state <> 'published'
		AND NOT EXISTS (SELECT 1 FROM engine_runs AS r WHERE r.digest = old.digest)
		ORDER BY deployed_at LIMIT $2)`, l.before(), sqldb.SweepBatch)
	return n == sqldb.SweepBatch, err
}
