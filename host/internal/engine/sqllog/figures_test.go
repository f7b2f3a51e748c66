package sqllog

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// TestFigures are exactly those of the changes that were stored, also when many are stored at once, and go
// when they are old.
func TestFigures(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { figures(t, Options{Dir: t.TempDir()}) })
	t.Run("postgres", func(t *testing.T) { figures(t, Options{Dir: t.TempDir(), Postgres: sqldbtest.Postgres(t)}) })
}

func figures(t *testing.T, o Options) {
	now := time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC)
	o.Now = func() time.Time { return now }
	l, ctx := open(t, o), t.Context()
	hour := engine.HourOf(now)
	counts := func(instance string) []engine.Count {
		return []engine.Count{
			{Hour: hour, Flow: "f", Node: "ask", Kind: engine.CountMenu, Instance: instance, N: 1},
			{Hour: hour, Flow: "f", Node: "ask", Kind: engine.CountTap, Key: "reply:a", Instance: instance, N: 1},
		}
	}
	batch := func(run, instance string) engine.Batch {
		return engine.Batch{Run: run, State: []byte("{}"), Counts: counts(instance), Steps: []engine.Step{{Run: run, Flow: "f"}}}
	}
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() { // each twice: one of the two is refused
			for range 2 {
				if _, err := l.Append(ctx, batch(fmt.Sprintf("r%d", i), fmt.Sprintf("i%d", i%2))); err != nil && !errors.Is(err, engine.ErrConflict) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	stale := batch("r1", "i1")
	stale.Expect = 7
	if _, err := l.Append(ctx, stale); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("a stale change: %v", err)
	}
	next := batch("r1", "i1")
	next.Expect = 1
	next.Counts[1].Hour++
	if _, err := l.Append(ctx, next); err != nil {
		t.Fatal(err)
	}
	check(t, l.PutFlow(ctx, engine.Version{Digest: "d", Flow: "f", Source: []byte("1")}))
	look := func(slot int, flow, instance, want string) {
		t.Helper()
		c, err := l.Counted(ctx, hour-48, hour+48, slot, flow, instance)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range c.Slots {
			got = append(got, fmt.Sprintf("%d %s=%d", x.Hour-hour, x.Kind, x.N))
		}
		for _, x := range c.All {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s/%s %s %s=%d", x.Flow, x.Node, x.Kind, x.Key, x.N)))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	}
	look(1, "", "", "0 menu=65, 0 tap=64, 1 tap=1, f/ published 1=1, f/ask menu =65, f/ask tap reply:a=65")
	look(24, "f", "i1", "-12 menu=33, -12 tap=33, f/ published 1=1, f/ask menu =33, f/ask tap reply:a=33")
	look(1, "other", "", "")
	now = now.Add(keepCounts + 3*time.Hour)
	check(t, l.sweeper.Sweep(ctx))
	look(1, "", "", "")
}
