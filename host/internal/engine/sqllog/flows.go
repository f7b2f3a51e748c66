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

// putFlow keeps a version, and says whether what is published has changed.
func (l *Log) putFlow(t *sqldb.Tx, v engine.Version) (told bool, err error) {
	if v.State == engine.Draft {
		return false, l.putDraft(t, v)
	}
	v.State = engine.Published
	was, known, err := find(t, `digest = $1`, v.Digest)
	if err != nil {
		return false, err
	}
	draft, is, err := draftOf(t, v.Flow)
	if err == nil && is && draft.Digest != v.Digest && string(draft.Source) == string(v.Source) {
		err = dropDraft(t, draft, true) // it is published now
	}
	if err != nil || was.State == v.State && was.Manifests == v.Manifests && was.Name == v.Name && string(was.Source) == string(v.Source) {
		return false, err
	}
	if err := l.retire(t, v.Flow); err != nil {
		return false, err
	}
	if known {
		_, err = t.Exec(`UPDATE engine_flows SET source = $2, deployed_at = $3, state = $4, manifests = $5, name = $6, saved_by = $7 WHERE digest = $1`,
			v.Digest, v.Source, sqldb.Millis(l.now()), string(v.State), v.Manifests, v.Name, v.By)
	} else {
		err = l.insertFlow(t, v)
	}
	if err == nil {
		err = l.countPublished(t, v.Digest)
	}
	if err != nil {
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

const versionColumns = `digest, flow, number, state, manifests, deployed_at, name, saved_by`

func versionRow(row sqldb.Scanner) (v engine.Version, err error) { return scanVersion(row) }

func sourceRow(row sqldb.Scanner) (v engine.Version, err error) {
	var source []byte
	v, err = scanVersion(row, &source)
	v.Source = source
	return v, err
}

func scanVersion(row sqldb.Scanner, more ...any) (v engine.Version, err error) {
	var changed int64
	err = row.Scan(append([]any{&v.Digest, &v.Flow, &v.Number, &v.State, &v.Manifests, &changed, &v.Name, &v.By}, more...)...)
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

// maxListed is how many versions of all flows are listed.
const maxListed = 100_000

// Flows implements engine.Archive.
func (l *Log) Flows(ctx context.Context) (all []engine.Version, waiting map[string]int, err error) {
	all, err = sqldb.All(ctx, l.db, versionRow, `SELECT `+versionColumns+` FROM engine_flows ORDER BY flow, number DESC LIMIT $1`, maxListed)
	if err != nil {
		return nil, nil, sqldb.Wrap("list the flows", err)
	}
	type waits struct {
		digest string
		runs   int
	}
	counts, err := sqldb.All(ctx, l.db, func(row sqldb.Scanner) (w waits, err error) {
		err = row.Scan(&w.digest, &w.runs)
		return w, err
	}, `SELECT digest, count(*) FROM (SELECT digest, waits FROM engine_runs WHERE status = 'running' AND status <> 'succeeded' ORDER BY started_at DESC, id DESC LIMIT $1) AS latest
		WHERE waits <> '' GROUP BY digest`, maxCounted)
	waiting = map[string]int{}
	for _, w := range counts {
		waiting[w.digest] = w.runs
	}
	return all, waiting, sqldb.Wrap("count the runs that wait", err)
}

// Published implements engine.Archive.
func (l *Log) Published(ctx context.Context) (generation uint64, all []engine.Version, err error) {
	if generation, err = l.generation(ctx); err != nil { // before the rows, so that a change in between is noticed later
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

// flowPoll is how long a change by another host of what is published may go unnoticed.
const flowPoll = time.Second

// removeFlows removes versions that no run belongs to and that were retired or only tried, long
// ago.
func (l *Log) removeFlows(t *sqldb.Tx) (more bool, err error) {
	n, err := t.Exec(`DELETE FROM engine_flows WHERE digest IN (
		SELECT digest FROM engine_flows AS old WHERE deployed_at < $1 AND state NOT IN ('published', 'draft')
		AND NOT EXISTS (SELECT 1 FROM engine_runs AS r WHERE r.digest = old.digest)
		ORDER BY deployed_at LIMIT $2)`, l.before(), sqldb.SweepBatch)
	return n == sqldb.SweepBatch, err
}
