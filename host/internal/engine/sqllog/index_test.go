package sqllog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// firstSchema makes a database as the first hosts had it, and closes it again.
func firstSchema(t *testing.T, o Options, fill func(*sqldb.Tx) error) {
	t.Helper()
	first, err := fs.ReadFile(files, "schema/001_initial.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(t.Context(), sqldb.Options{Dir: o.Dir, File: FileName, Postgres: o.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	schema := sqldb.Schema{Meta: "engine_meta", Files: fstest.MapFS{"001_initial.sql": {Data: first}}}
	if err := errors.Join(db.Migrate(t.Context(), schema, nil), db.Write(t.Context(), "fill", fill), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestOlderDatabase: a database of a host without index data opens; a sweep makes its runs
// findable by all that is known of them, and its versions are numbered and start nothing.
func TestOlderDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		o, ctx := place(t), t.Context()
		begun := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		firstSchema(t, o, func(tx *sqldb.Tx) error {
			for i := range 120 {
				s := run.State{Run: fmt.Sprintf("r%03d", i), Flow: "menu", Status: run.StatusRunning, Started: begun,
					Visits: []run.Visit{{N: 1, Node: "ask", Call: run.CallDone, Wait: run.WaitArmed}}}
				state, err := json.Marshal(s)
				if i == 7 {
					state = []byte("no JSON")
				}
				if err != nil {
					return err
				}
				if _, err := tx.Exec(`INSERT INTO engine_runs (id, revision, digest, started_at, ended, ended_at, bytes, state) VALUES ($1, 1, 'd2', $2, 0, 0, 2, $3)`,
					s.Run, sqldb.Millis(begun), state); err != nil {
					return err
				}
				steps := fmt.Sprintf(`[{"time":"2026-11-01T12:00:00Z","step":"node.succeeded","messageId":"M%d","data":{"chat":{"phone":"55119%03d"}}}]`, i, i)
				if _, err := tx.Exec(`INSERT INTO engine_steps (seq, run, flow, stored_at, data) VALUES ($1, $2, 'menu', 1, $3)`, i+1, s.Run, []byte(steps)); err != nil {
					return err
				}
			}
			for i, digest := range []string{"d1", "d2"} {
				if _, err := tx.Exec(`INSERT INTO engine_flows (digest, flow, source, deployed_at) VALUES ($1, 'menu', $2, $3)`, digest, []byte("x"), 1000+i); err != nil {
					return err
				}
			}
			return nil
		})
		o.Now = func() time.Time { return begun.Add(time.Hour) }
		l := open(t, o)
		count := func(q engine.Query) int {
			q.Limit = engine.MaxPage
			page, err := l.Runs(ctx, q)
			check(t, err)
			return len(page.Runs)
		}
		if n := count(engine.Query{}); n != 120 {
			t.Errorf("%d runs are listed before the sweep, want all", n)
		}
		check(t, l.indexOldRuns(ctx))
		for _, c := range []struct {
			q    engine.Query
			want int
		}{
			{engine.Query{Flow: "menu", Node: "ask"}, 119}, {engine.Query{Status: run.StatusRunning}, 119}, {engine.Query{Status: engine.Unreadable}, 1},
			{engine.Query{About: "M11"}, 1}, {engine.Query{About: "55119003"}, 1}, {engine.Query{Flow: "menu", Version: 2}, 119},
		} {
			if n := count(c.q); n != c.want {
				t.Errorf("%+v finds %d runs, want %d", c.q, n, c.want)
			}
		}
		versions, err := l.Versions(ctx, "menu")
		if err != nil || len(versions) != 2 || versions[0].Digest != "d2" || versions[0].Number != 2 || versions[1].Number != 1 || versions[0].State != engine.Retired {
			t.Errorf("the versions are %+v (%v)", versions, err)
		}
		check(t, l.PutFlow(ctx, engine.Version{Digest: "d2", Flow: "menu", Source: []byte("x")}))
		if _, now, err := l.Published(ctx); err != nil || len(now) != 1 || now[0].Number != 2 {
			t.Errorf("published is %+v (%v), want version 2", now, err)
		}
	})
}

// TestForgottenTerms: the terms of a run are removed with it.
func TestForgottenTerms(t *testing.T) {
	onEach(t, func(t *testing.T, place func(t *testing.T) Options) {
		o, ctx := place(t), t.Context()
		o.Limits.Runs = 1
		l := open(t, o)
		var many []string
		for i := range 80 {
			many = append(many, fmt.Sprint("M", i))
		}
		_, err := l.Append(ctx, engine.Batch{Run: "r", State: []byte("{}"), Over: true, Index: engine.Index{Flow: "f", Waits: []string{"a", "b"}, Subjects: many}})
		check(t, err)
		_, err = l.Append(ctx, engine.Batch{Run: "s", State: []byte("{}")})
		check(t, err)
		var left int
		check(t, l.db.Row(ctx, `SELECT count(*) FROM engine_terms`, nil, &left))
		if left != 0 {
			t.Errorf("%d terms are left", left)
		}
	})
}
