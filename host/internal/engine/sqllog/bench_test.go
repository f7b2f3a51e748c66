package sqllog

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// onEachB is onEach for benchmarks.
func onEachB(b *testing.B, bench func(b *testing.B, l *Log)) {
	run := func(name string, o Options) {
		b.Run(name, func(b *testing.B) {
			l, err := Open(b.Context(), o)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			bench(b, l)
		})
	}
	run("sqlite", Options{Dir: b.TempDir()})
	if sqldbtest.Server() != "" {
		run("postgres", Options{Postgres: sqldbtest.Postgres(b)})
	}
}

var appended atomic.Int64 // runs of all BenchmarkAppend

// BenchmarkAppend is what a run with one menu stores, from 64 goroutines: it begins with a
// call, waits, and is over with an answer; three appends each.
func BenchmarkAppend(b *testing.B) {
	onEachB(b, func(b *testing.B, l *Log) {
		state, data := make([]byte, 500), map[string]any{"instance": "shop", "chat": map[string]any{"jid": "5511999990001@s.whatsapp.net", "lid": "123@lid"}}
		for i := range state {
			state[i] = ' '
		}
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				id := fmt.Sprintf("r%026d", appended.Add(1))
				wait := engine.Wait{Correlation: id + ":ask:1", Run: id, Node: "ask", Visit: 1, Expires: time.Now().Add(time.Hour)}
				steps := []engine.Step{{Run: id, Flow: "menu", Kind: run.TraceNodeStarted, Node: "ask", Data: data}, {Run: id, Flow: "menu", Kind: run.TraceNodeSucceeded, Node: "ask", Data: data}}
				s := run.State{Flow: "menu", Status: run.StatusRunning, Started: time.Now(), Visits: []run.Visit{{Node: "ask", Wait: run.WaitArmed}}}
				for i := range 3 {
					steps[1].MessageID = fmt.Sprint("3EB0", id, i)
					batch := engine.Batch{Run: id, Digest: "d", Expect: uint64(i), State: state, Steps: steps, Over: i == 2}
					if i == 0 {
						batch.Waits = []engine.Wait{wait}
					}
					if i == 2 {
						s.Status, s.Visits = run.StatusSucceeded, nil
					}
					batch.Index = engine.IndexOf(s, steps)
					if _, err := l.Append(b.Context(), batch); err != nil {
						b.Error(err)
					}
				}
			}
		})
	})
}

// BenchmarkList lists the newest 50 of a million runs, in each of the ways.
func BenchmarkList(b *testing.B) {
	onEachB(b, func(b *testing.B, l *Log) {
		const runs = 1_000_000
		fill(b, l, runs)
		begun := time.UnixMilli(1_800_000_000_000)
		for name, q := range map[string]engine.Query{
			"all":       {},
			"flow":      {Flow: "flow3"},
			"version":   {Flow: "flow3", Version: 1},
			"failed":    {Status: run.StatusFailed},
			"succeeded": {Status: run.StatusSucceeded},
			"about":     {About: "551100007"},
			"node":      {Flow: "flow3", Node: "ask"},
			"time":      {Since: begun.Add(100 * time.Second), Until: begun.Add(500 * time.Second)},
			"deep":      {After: engine.Place{Started: begun.Add(500 * time.Second).UnixMilli()}.String()},
			"both":      {Flow: "flow3", Status: run.StatusFailed},
		} {
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					page, err := l.Runs(b.Context(), q)
					if err != nil || len(page.Runs) != engine.DefaultPage {
						b.Fatal(len(page.Runs), err)
					}
				}
			})
		}
	})
}

// fill makes runs a millisecond apart, of ten flows, a hundredth failed and a hundredth waiting.
func fill(b *testing.B, l *Log, runs int) {
	b.Helper()
	for i := range 10 {
		if err := l.PutFlow(b.Context(), engine.Version{Digest: fmt.Sprint("d", i), Flow: fmt.Sprint("flow", i), Source: []byte("x")}); err != nil {
			b.Fatal(err)
		}
	}
	const numbers = `WITH RECURSIVE n (i) AS (SELECT $1 + 0 UNION ALL SELECT i + 1 FROM n WHERE i < $2 + 0) `
	id := `'r' || substr(CAST(100000000000 + i AS TEXT), 2)`
	const chunk = 100_000
	for from := 0; from < runs; from += chunk {
		err := l.db.Write(b.Context(), "fill", func(t *sqldb.Tx) error {
			for i, query := range []string{
				`INSERT INTO engine_runs (id, revision, digest, started_at, ended, ended_at, bytes, state, flow, status, waits, subjects) ` + numbers + `
					SELECT ` + id + `, 1, 'd' || (i % 10), 1800000000000 + i, CASE WHEN i % 100 = 3 THEN 0 ELSE i + 1 END, 1800000000000 + i, 400, $3,
					'flow' || (i % 10), CASE i % 100 WHEN 3 THEN 'running' WHEN 13 THEN 'failed' ELSE 'succeeded' END, CASE WHEN i % 100 = 3 THEN 'ask' ELSE '' END, '5511' || substr(CAST(100000 + i % 10000 AS TEXT), 2) FROM n`,
				`INSERT INTO engine_terms (term, started_at, run) ` + numbers + ` SELECT 's5511' || substr(CAST(100000 + i % 10000 AS TEXT), 2), 1800000000000 + i, ` + id + ` FROM n`,
				`INSERT INTO engine_terms (term, started_at, run) ` + numbers + ` SELECT 'nflow3/ask', 1800000000000 + i, ` + id + ` FROM n WHERE i % 100 = 3`,
			} {
				args := []any{from, from + chunk - 1}
				if i == 0 {
					args = append(args, make([]byte, 400))
				}
				if _, err := t.Exec(query, args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
