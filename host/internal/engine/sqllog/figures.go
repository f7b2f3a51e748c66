package sqllog

import (
	"context"
	"strconv"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// keepCounts is how long figures are kept, and maxCounts how many rows of them.
	keepCounts = 400 * 24 * time.Hour
	maxCounts  = 2_000_000
)

var putCounts = newRows(`INSERT INTO engine_counts (hour, flow, node, kind, key, instance, n) VALUES`, 7,
	`ON CONFLICT (hour, flow, node, kind, key, instance) DO UPDATE SET n = engine_counts.n + excluded.n`)

// addCount collects figures, and adds up those that differ in nothing but N.
func (g *group) addCount(c engine.Count) {
	key := strconv.FormatInt(c.Hour, 10) + "\x00" + c.Flow + "\x00" + c.Node + "\x00" + string(c.Kind) + "\x00" + c.Key + "\x00" + c.Instance
	c.N += g.counts[key].N
	g.counts[key] = c
}

func (g *group) putCounts(t *sqldb.Tx) error {
	for _, c := range g.counted {
		if c.refused != nil {
			continue
		}
		for _, one := range c.batch.Counts {
			g.addCount(one)
		}
	}
	g.counted = nil
	return putAll(t, putCounts, g.counts, func(c engine.Count) []any {
		return []any{c.Hour, c.Flow, c.Node, string(c.Kind), c.Key, c.Instance, c.N}
	})
}

// countPublished notes when a version was published.
func (l *Log) countPublished(t *sqldb.Tx, digest string) error {
	_, err := t.Exec(`INSERT INTO engine_counts (hour, flow, node, kind, key, instance, n)
		SELECT $2, flow, '', $3, CAST(number AS TEXT), '', 1 FROM engine_flows WHERE digest = $1
		ON CONFLICT (hour, flow, node, kind, key, instance) DO UPDATE SET n = engine_counts.n + 1`, digest, engine.HourOf(l.now()), string(engine.CountPublished))
	return err
}

const counted = ` FROM engine_counts WHERE hour >= $1 AND hour < $2 AND (CAST($3 AS TEXT) = '' OR flow = $3) AND (CAST($4 AS TEXT) = '' OR instance = $4 OR kind = 'published')`

// Counted implements engine.Archive.
func (l *Log) Counted(ctx context.Context, from, to int64, slot int, flow, instance string) (c engine.Counted, err error) {
	slots := func(row sqldb.Scanner) (c engine.Count, err error) {
		err = row.Scan(&c.Hour, &c.Kind, &c.N)
		return c, err
	}
	all := func(row sqldb.Scanner) (c engine.Count, err error) {
		err = row.Scan(&c.Flow, &c.Node, &c.Kind, &c.Key, &c.Hour, &c.N)
		return c, err
	}
	c.Slots, err = sqldb.All(ctx, l.db, slots, `SELECT hour / $5 * $5, kind, CAST(sum(n) AS BIGINT)`+counted+` AND kind <> 'took' AND kind <> 'published' GROUP BY 1, 2 ORDER BY 1, 2`, from, to, flow, instance, slot)
	if err == nil {
		c.All, err = sqldb.All(ctx, l.db, all, `SELECT flow, node, kind, key, CASE WHEN kind = 'published' THEN hour ELSE 0 END, CAST(sum(n) AS BIGINT)`+counted+` GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5`, from, to, flow, instance)
	}
	return c, sqldb.Wrap("read the figures", err)
}

// removeCounts removes figures past their time.
func (l *Log) removeCounts(t *sqldb.Tx) (more bool, err error) {
	n, err := t.Exec(`DELETE FROM engine_counts WHERE (hour, flow, node, kind, key, instance) IN (SELECT hour, flow, node, kind, key, instance FROM engine_counts WHERE hour < $1 ORDER BY hour LIMIT $2)`,
		engine.HourOf(l.now().Add(-keepCounts)), sqldb.SweepBatch)
	return n == sqldb.SweepBatch, err
}

// removeManyCounts removes the oldest figures over the limit.
func (l *Log) removeManyCounts(ctx context.Context) error {
	var rows int64
	err := l.db.Row(ctx, `SELECT count(*) FROM engine_counts WHERE hour <= $1`, []any{engine.HourOf(l.now())}, &rows)
	for excess := rows - maxCounts; err == nil && excess > 0 && ctx.Err() == nil; excess -= sqldb.SweepBatch {
		err = l.db.WriteUnsynced(ctx, "remove figures over the limit", l.change(func(t *sqldb.Tx) error {
			_, err := t.Exec(`DELETE FROM engine_counts WHERE (hour, flow, node, kind, key, instance) IN (SELECT hour, flow, node, kind, key, instance FROM engine_counts ORDER BY hour LIMIT $1)`, min(excess, sqldb.SweepBatch))
			return err
		}))
	}
	return sqldb.Wrap("keep the figures few", err)
}
