package store_test

import (
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// TestOtherProcessesHear: an event that one process stores wakes the readers in another, even after
// the listening connection is cut.
func TestOtherProcessesHear(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	open := func() *store.Store {
		s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Postgres: dsn}))
		t.Cleanup(func() { check(t, s.Close()) })
		s.Start()
		return s
	}
	here, there := open(), open()
	soon := func(what string, changed <-chan struct{}) {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(time.Minute): // only the deadline of the test
			t.Fatalf("nobody heard of %s", what)
		}
	}
	listeners := func() (n int) {
		check(t, here.DB.Row(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'tapnode listener' AND query LIKE 'LISTEN%'`, nil, &n))
		return n
	}
	for n := range 3 {
		id := string(rune('a' + n))
		changed := there.Outbox.Changed(clicked)
		appendAll(t, here, event(clicked, "shop", id))
		soon("the event "+id, changed)
		if all, _ := ids(t, there, nil, outbox.Filter{}); all[len(all)-1] != id {
			t.Errorf("%s woke and found %v", id, all)
		}

		var cut int
		check(t, here.DB.Row(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = 'tapnode listener'`, nil, &cut))
	}
	for deadline := time.Now().Add(time.Minute); listeners() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d listen again, want 2", listeners())
		}
	}

	changed := there.Registry.Changed()
	must[registry.Instance](t)(here.Registry.Create(t.Context(), "shop"))
	soon("an instance", changed)
	changed = there.Registry.Changed()
	check(t, claimLease(t, here, "shop", 1))
	soon("a claim", changed)
	changed = there.Registry.Changed()
	check(t, here.Registry.Show(t.Context(), []registry.Shown{{Name: "shop", Epoch: 1, What: "well"}}))
	soon("how it is", changed)
	check(t, here.Registry.Show(t.Context(), []registry.Shown{{Name: "shop", Epoch: 0, What: "a former owner's"}}))
	if i := must[registry.Instance](t)(there.Registry.Instance(t.Context(), "shop")); i.Shown != "well" {
		t.Errorf("shown is %q", i.Shown)
	}
	changed = there.Registry.Changed()
	check(t, here.Registry.Delete(t.Context(), "shop"))
	soon("its end", changed)
}
