package sqllog

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// Of two hosts on a database, one leaves the tasks of a version to the other, whatever else is due
// and however full the lanes are. It takes the tasks that nobody has taken for LeftToOthers.
func TestLeave(t *testing.T) {
	t.Parallel()
	if sqldbtest.Server() == "" {
		t.Skip("one process owns a SQLite file: nobody else is there to leave something to")
	}
	start := time.Now().Truncate(time.Microsecond)
	var jumped atomic.Int64
	o := Options{Postgres: sqldbtest.Postgres(t), Now: func() time.Time { return start.Add(time.Duration(jumped.Load())) }}
	old, fresh := open(t, o), open(t, o)
	old.Leave([]string{"new"})
	put := func(run, digest, lane string) {
		t.Helper()
		_, err := fresh.Append(t.Context(), engine.Batch{Run: run, Digest: digest, State: []byte("{}"),
			Tasks: []engine.Task{{ID: run, Run: run, Kind: engine.TaskCall, Due: start, Lane: lane}}})
		check(t, err)
	}
	takes := func(l *Log, want string) {
		t.Helper()
		got, wait, err := l.desk.take(t.Context(), engine.Calls)
		check(t, err)
		if got.ID != want {
			t.Fatalf("it takes %q, want %q", got.ID, want)
		}
		if want == "" && wait <= soon {
			t.Errorf("it looks again in %v, though there is nothing for it", wait)
		}
	}
	put("a1", "new", "shop")
	takes(old, "")
	put("a2", "old", "shop")
	takes(old, "a2")
	for i := range engine.LaneWidth {
		put(string(rune('b'+i)), "old", "full")
		takes(old, string(rune('b'+i)))
	}
	put("c1", "old", "full") // whose lane is full now
	takes(old, "")
	put("c2", "old", "shop")
	takes(old, "c2")
	takes(fresh, "a1")
	put("z", "new", "")
	takes(old, "")
	jumped.Store(int64(engine.LeftToOthers))
	for range engine.LaneWidth + 4 { // the leases of the others are over, too
		if got, _, err := old.desk.take(t.Context(), engine.Calls); err != nil || got.ID == "z" {
			check(t, err)
			return
		}
	}
	t.Error("nobody takes z, and it stays so")
}
