package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// BenchmarkAnswer prints how long it takes from a click event until the call of the next node
// begins, with everything before it on disk, and what open traces cost the starts.
func BenchmarkAnswer(b *testing.B) {
	each(b, func(name string, o sqllog.Options) { answers(b, os.Stdout, name, o, 300, 5, 500) })
}

// TestAnswer runs the same code in miniature.
func TestAnswer(t *testing.T) {
	answers(t, t.Output(), "SQLite", sqllog.Options{Dir: t.TempDir()}, 20, 2, 10)
}

// each calls f for SQLite, and for Postgres if there is a server.
func each(tb testing.TB, f func(name string, o sqllog.Options)) {
	tb.Helper()
	f("SQLite", sqllog.Options{Dir: tb.TempDir()})
	if sqldbtest.Server() != "" {
		f("Postgres", sqllog.Options{Postgres: sqldbtest.Postgres(tb)})
	}
}

func answers(tb testing.TB, w io.Writer, name string, o sqllog.Options, n, rounds, traces int) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), labTimeout)
	defer cancel()
	r, err := openRig(ctx, o)
	fatal(tb, err)
	defer func() { fatal(tb, r.close()) }()
	asked, err := r.ask(ctx, n)
	fatal(tb, err)
	var took []float64
	for i, correlation := range asked {
		clicked := time.Now()
		d, err := r.Deliver(ctx, click(fmt.Sprint("click ", i), correlation))
		fatal(tb, err)
		if _, err := r.next(ctx); err != nil {
			tb.Fatal(err)
		}
		took = append(took, ms(time.Since(clicked)))
		fatal(tb, r.over(ctx, d.Answered))
	}
	fmt.Fprintf(w, "\n%-44s  p50 %.2f  p99 %.2f ms  (goal ≤ 2, ≤ 20)\n", "click to the next node's call, "+name, quantile(took, 0.5), quantile(took, 0.99))

	const starts = 400
	open, closeAll := context.WithCancel(ctx)
	defer closeAll()
	waiting, err := r.ask(ctx, traces)
	fatal(tb, err)
	rate, err := turns(rounds, 2, func(arm int) (float64, error) {
		var g errgroup.Group
		watch, end := context.WithCancel(open)
		defer func() { end(); _ = g.Wait() }() // they fail only because their context ends
		var there sync.WaitGroup               // counts down once a reader has read what was already stored
		for i := range traces * arm {
			there.Add(1)
			g.Go(func() error {
				first := sync.OnceFunc(there.Done)
				defer first()
				for _, err := range r.Watch(watch, runIn(waiting[i]), 0) {
					if err != nil {
						return err
					}
					first()
				}
				return nil
			})
		}
		there.Wait()
		began := time.Now()
		_, err := r.ask(ctx, starts)
		return starts / time.Since(began).Seconds(), err
	})
	fatal(tb, err)
	fmt.Fprintf(w, "%-44s  %s of those without  (goal ≥ 0.9)\n", fmt.Sprintf("starts with %d open traces, %s", traces, name), statOf(pairwise(rate[1], rate[0], quotient)).text(2))
}
