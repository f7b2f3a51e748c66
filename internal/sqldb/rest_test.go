package sqldb

import (
	"database/sql"
	"testing"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

func TestRest(t *testing.T) {
	for name, options := range map[string]func(*testing.T) Options{
		"SQLite":   func(t *testing.T) Options { return Options{Dir: t.TempDir(), File: "rest.db"} },
		"Postgres": func(t *testing.T) Options { return Options{Postgres: sqldbtest.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := Open(t.Context(), options(t))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			many := make([]*sql.Conn, 5)
			for i := range many {
				if many[i], err = db.sql.Conn(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range many[1:] {
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			}
			before := db.sql.Stats()
			db.Rest()
			after := db.sql.Stats()
			if want := map[string]int{"sqlite3": 1, "postgres": before.Idle}[db.Dialect()]; after.Idle != want {
				t.Errorf("%d idle connections of %d are left, want %d", after.Idle, before.Idle, want)
			}
			if err := many[0].PingContext(t.Context()); err != nil {
				t.Errorf("a connection in use: %v", err)
			}
			if err := many[0].Close(); err != nil {
				t.Fatal(err)
			}
			if got := db.sql.Stats().Idle; got != after.Idle+1 {
				t.Errorf("%d idle connections are kept afterwards, want %d", got, after.Idle+1)
			}
		})
	}
}
