package sqllog

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// PutFlow implements engine.Log.
func (l *Log) PutFlow(ctx context.Context, v engine.Version) error {
	return l.db.Write(ctx, "keep a version of flow "+v.Flow, l.change(func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO engine_flows (digest, flow, source, deployed_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (digest) DO UPDATE SET source = excluded.source, deployed_at = excluded.deployed_at`,
			v.Digest, v.Flow, v.Source, sqldb.Millis(l.now()))
		return err
	}))
}

// Flow implements engine.Log.
func (l *Log) Flow(ctx context.Context, digest string) (engine.Version, error) {
	v := engine.Version{Digest: digest}
	err := l.db.Row(ctx, `SELECT flow, source FROM engine_flows WHERE digest = $1`, []any{digest}, &v.Flow, &v.Source)
	if err != nil {
		return engine.Version{}, sqldb.Wrap("find a version of a flow", notFound(err))
	}
	return v, nil
}

// removeFlows removes versions that were deployed long ago, have a later one, and no run.
func (l *Log) removeFlows(t *sqldb.Tx) (more bool, err error) {
	n, err := t.Exec(`DELETE FROM engine_flows WHERE digest IN (
		SELECT digest FROM engine_flows AS old WHERE deployed_at < $1
		AND EXISTS (SELECT 1 FROM engine_flows AS later WHERE later.flow = old.flow AND later.deployed_at > old.deployed_at)
		AND NOT EXISTS (SELECT 1 FROM engine_runs AS r WHERE r.digest = old.digest)
		ORDER BY deployed_at LIMIT $2)`, l.before(), sqldb.SweepBatch)
	return n == sqldb.SweepBatch, err
}
