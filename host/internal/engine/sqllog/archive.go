package sqllog

import (
	"context"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// columns are those of foundRow.
	columns = `r.id, r.flow, coalesce(f.number, 0), r.status, r.started_at, r.ended_at, r.error, r.waits, r.subjects, r.trial <> 0`
	// withVersion follows FROM engine_runs AS r.
	withVersion = ` LEFT JOIN engine_flows AS f ON f.digest = r.digest`
	// newest selects, newest first, the runs after the place $1, $2, and $3 of them at most.
	newest = ` AND (r.started_at, r.id) < ($1, $2) ORDER BY r.started_at DESC, r.id DESC LIMIT $3`

	// One query for each condition that has an index; the other conditions are checked run by run.
	allRuns    = `SELECT ` + columns + ` FROM engine_runs AS r` + withVersion + ` WHERE true` + newest
	ofFlow     = `SELECT ` + columns + ` FROM engine_runs AS r` + withVersion + ` WHERE r.flow = $4` + newest
	ofVersion  = `SELECT ` + columns + ` FROM engine_runs AS r` + withVersion + ` WHERE r.digest = $4` + newest
	withStatus = `SELECT ` + columns + ` FROM engine_runs AS r` + withVersion + ` WHERE r.status = $4 AND r.status <> 'succeeded'` + newest
	withTerm   = `SELECT ` + columns + ` FROM engine_terms AS t JOIN engine_runs AS r ON r.id = t.run` + withVersion + `
		WHERE t.term = $4 AND (t.started_at, t.run) < ($1, $2) ORDER BY t.started_at DESC, t.run DESC LIMIT $3`
)

const (
	// maxLooked is how many runs one page looks at, which bounds its time.
	maxLooked = 5000
	// lookPage is how many rows are read at once after the first read, when not every row is
	// wanted.
	lookPage = 500
)

func foundRow(row sqldb.Scanner) (f engine.Found, err error) {
	var started, ended int64
	var waits, subjects string
	err = row.Scan(&f.Run, &f.Flow, &f.Version, &f.Status, &started, &ended, &f.Error, &waits, &subjects, &f.Trial)
	f.Started, f.Ended, f.Waits, f.About = sqldb.Time(started), sqldb.Time(ended), lines(waits), lines(subjects)
	return f, err
}

// Runs implements engine.Archive.
func (l *Log) Runs(ctx context.Context, q engine.Query) (page engine.Page, err error) {
	at, err := q.Check()
	if err != nil {
		return page, err
	}
	query, args, err := l.lead(ctx, q)
	if err != nil {
		return page, err
	}
	size := q.Limit + 1
	for looked := 0; ; size = lookPage {
		rows, err := sqldb.All(ctx, l.db, foundRow, query, append([]any{at.Started, at.Run, size}, args...)...)
		if err != nil {
			return engine.Page{}, sqldb.Wrap("find runs", err)
		}
		for _, f := range rows {
			if !q.Since.IsZero() && f.Started.Before(q.Since) { // and so are all after it
				return page, nil
			}
			if len(page.Runs) == q.Limit {
				page.Next = at.String()
				return page, nil
			}
			if at = f.At(); q.Matches(f) {
				page.Runs = append(page.Runs, f)
			}
		}
		if len(rows) < size {
			return page, nil
		}
		if looked += size; looked >= maxLooked {
			page.Next = at.String()
			return page, nil
		}
	}
}

// lead chooses the query whose condition leads to the fewest runs.
func (l *Log) lead(ctx context.Context, q engine.Query) (query string, args []any, err error) {
	switch {
	case q.About != "":
		return withTerm, []any{subjectTerm(q.About)}, nil
	case q.Node != "":
		return withTerm, []any{nodeTerm(q.Flow, q.Node)}, nil
	case q.Version != 0:
		var digest string
		err := l.db.Row(ctx, `SELECT digest FROM engine_flows WHERE flow = $1 AND number = $2`, []any{q.Flow, q.Version}, &digest)
		return ofVersion, []any{digest}, wrap("find a version of a flow", err)
	case q.Status != "" && q.Status != "succeeded":
		return withStatus, []any{string(q.Status)}, nil
	case q.Flow != "":
		return ofFlow, []any{q.Flow}, nil
	}
	return allRuns, nil, nil
}

// Found implements engine.Archive.
func (l *Log) Found(ctx context.Context, run string) (engine.Found, error) {
	f, err := sqldb.One(ctx, l.db, foundRow, `SELECT `+columns+` FROM engine_runs AS r`+withVersion+` WHERE r.id = $1`, run)
	return f, wrap("find a run", err)
}

// maxCounted is how many waiting runs are counted.
const maxCounted = 10_000

// Waiting implements engine.Archive.
func (l *Log) Waiting(ctx context.Context, flow, node string) (map[string]int, error) {
	type count struct {
		digest string
		n      int
	}
	counts, err := sqldb.All(ctx, l.db, func(row sqldb.Scanner) (c count, err error) {
		err = row.Scan(&c.digest, &c.n)
		return c, err
	}, `SELECT r.digest, count(*) FROM (SELECT run FROM engine_terms WHERE term = $1 ORDER BY started_at DESC LIMIT $2) AS latest
		JOIN engine_runs AS r ON r.id = latest.run GROUP BY r.digest`, nodeTerm(flow, node), maxCounted)
	out := make(map[string]int, len(counts))
	for _, c := range counts {
		out[c.digest] = c.n
	}
	return out, sqldb.Wrap("count waiting runs", err)
}
