package sqllog

import (
	"context"
	"slices"
	"strings"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// indexed is the index data of a run's row.
type indexed struct {
	startedAt                            int64
	flow, status, error, waits, subjects string
}

// next returns the row after a change, and the terms to add and to remove.
func (r indexed) next(x engine.Index) (after indexed, add, remove []string) {
	had := lines(r.subjects)
	all := engine.AddSubjects(had, x.Subjects)
	after = indexed{r.startedAt, x.Flow, string(x.Status), x.Error, strings.Join(x.Waits, "\n"), strings.Join(all, "\n")}
	for _, s := range all[len(had):] {
		add = append(add, subjectTerm(s))
	}
	before := lines(r.waits)
	for _, n := range x.Waits {
		if !slices.Contains(before, n) {
			add = append(add, nodeTerm(x.Flow, n))
		}
	}
	for _, n := range before {
		if !slices.Contains(x.Waits, n) {
			remove = append(remove, nodeTerm(x.Flow, n))
		}
	}
	return after, add, remove
}

// ending is when a run was over, as its row has it; zero while it is not over.
type ending struct{ seq, at int64 }

// update changes the run's row and its terms. goesOn says that the run is not over, before and
// after.
func (c *change) update(t *sqldb.Tx, g *group, was indexed, end ending, goesOn bool) (err error) {
	b := c.batch
	x, add, remove := was.next(b.Index)
	if goesOn && x.flow == was.flow && x.status == was.status && x.error == was.error {
		// SQLite rewrites an index when a statement sets its column, even to the same value.
		_, err = t.Exec(`UPDATE engine_runs SET revision = revision + 1, bytes = $2, state = $3, waits = $4, subjects = $5 WHERE id = $1`,
			b.Run, len(c.state), c.state, x.waits, x.subjects)
	} else {
		_, err = t.Exec(`UPDATE engine_runs SET revision = revision + 1, bytes = $2, state = $3, waits = $4, subjects = $5,
			ended = $6, ended_at = $7, status = $8, error = $9 WHERE id = $1`,
			b.Run, len(c.state), c.state, x.waits, x.subjects, end.seq, end.at, x.status, x.error)
		if err == nil && x.flow != was.flow { // a run that an older host has stored
			_, err = t.Exec(`UPDATE engine_runs SET flow = $2 WHERE id = $1`, b.Run, x.flow)
		}
	}
	if err != nil {
		return err
	}
	g.addTerms(b.Run, x.startedAt, add)
	return changeTerms(t, b.Run, x.startedAt, nil, remove)
}

func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// The first letter keeps terms of different kinds apart.
func subjectTerm(s string) string    { return "s" + s }
func nodeTerm(flow, n string) string { return "n" + flow + "/" + n }

func changeTerms(t *sqldb.Tx, run string, startedAt int64, add, remove []string) error {
	err := putTerms.put(t, len(add), func(i int) []any { return []any{add[i], startedAt, run} })
	if err != nil {
		return err
	}
	for _, term := range remove {
		if _, err := t.Exec(`DELETE FROM engine_terms WHERE term = $1 AND started_at = $2 AND run = $3`, term, startedAt, run); err != nil {
			return err
		}
	}
	return nil
}

// forgetTerms removes the terms of a run.
func forgetTerms(t *sqldb.Tx, run string) error {
	var r indexed
	err := t.Row(`SELECT started_at, flow, waits, subjects FROM engine_runs WHERE id = $1`, []any{run}, &r.startedAt, &r.flow, &r.waits, &r.subjects)
	if err != nil {
		return err
	}
	var terms []string
	for _, s := range lines(r.subjects) {
		terms = append(terms, subjectTerm(s))
	}
	for _, n := range lines(r.waits) {
		terms = append(terms, nodeTerm(r.flow, n))
	}
	return changeTerms(t, run, r.startedAt, nil, terms)
}

// indexOldRuns fills in the rows of older hosts, which wrote no index data, some at a time.
func (l *Log) indexOldRuns(ctx context.Context) error {
	type old struct {
		id        string
		startedAt int64
		state     []byte
	}
	for more := true; more; {
		runs, err := sqldb.All(ctx, l.db, func(row sqldb.Scanner) (r old, err error) {
			err = row.Scan(&r.id, &r.startedAt, &r.state)
			r.state = unpack(r.state)
			return r, err
		}, `SELECT id, started_at, state FROM engine_runs WHERE status = '' AND status <> 'succeeded' ORDER BY started_at, id LIMIT $1`, runsBatch) // the second condition selects the partial index
		if err != nil || len(runs) == 0 {
			return err
		}
		found := make([]engine.Index, len(runs))
		for i, r := range runs {
			steps, err := l.Steps(ctx, r.id, 0)
			if err != nil {
				return err
			}
			if found[i], err = engine.IndexFrom(r.state, steps); err != nil || found[i].Status == "" {
				found[i] = engine.Index{Status: engine.Unreadable}
			}
		}
		more = len(runs) == runsBatch
		err = l.db.WriteUnsynced(ctx, "index the runs of an older host", l.change(func(t *sqldb.Tx) error {
			for i, r := range runs {
				after, add, _ := indexed{startedAt: r.startedAt}.next(found[i])
				n, err := t.Exec(`UPDATE engine_runs SET flow = $2, status = $3, error = $4, waits = $5, subjects = $6 WHERE id = $1 AND status = ''`,
					r.id, after.flow, after.status, after.error, after.waits, after.subjects)
				if err == nil && n > 0 { // nobody has changed the run meanwhile
					err = changeTerms(t, r.id, r.startedAt, add, nil)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}))
		if err != nil {
			return err
		}
	}
	return nil
}
