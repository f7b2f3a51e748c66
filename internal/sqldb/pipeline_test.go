package sqldb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// Statements that nobody waits for are sent together with one that somebody waits for, or with the
// commit, in order.
func TestPipelineGoesTogether(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{Postgres: sqldbtest.Postgres(t)})
	var heard []string
	err := db.Write(t.Context(), "store notes", func(tx *Tx) error {
		heard = nil
		hear := func(what string) func(int64) error {
			return func(n int64) error {
				heard = append(heard, fmt.Sprint(what, " ", n))
				return nil
			}
		}
		id := ""
		if err := errors.Join(
			tx.Later(`INSERT INTO notes (id) VALUES ('a'), ('b')`),
			tx.Then(`UPDATE notes SET body = $1 WHERE id < $2`, []any{[]byte("x"), "z"}, nil, hear("updated")),
			tx.Then(`SELECT id FROM notes ORDER BY id DESC`, nil, func(row Scanner) error { return row.Scan(&id) }, func(n int64) error {
				if err := hear("read, last " + id)(n); err != nil {
					return err
				}
				return tx.Then(`DELETE FROM notes WHERE id = 'a'`, nil, nil, hear("deleted"))
			}),
		); err != nil {
			return err
		}
		if tx.pipe.sent || len(heard) > 0 {
			t.Error("something is at the server that nobody waited for: ", heard)
		}
		var n int
		if err := tx.Row(`SELECT count(*) FROM notes`, nil, &n); err != nil || n != 2 {
			t.Errorf("who waits sees %d notes (%v), want both", n, err)
		}
		return tx.Later(`INSERT INTO notes (id) VALUES ('c')`)
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"updated 2", "read, last a 2", "deleted 1"}; !slices.Equal(heard, want) {
		t.Errorf("heard %v, want %v", heard, want)
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d notes, want b and c", n)
	}
}

// Every failure, no matter which statement fails and when it is reported, undoes its own write and
// no other, on both databases.
func TestLateFailures(t *testing.T) {
	t.Parallel()
	mine := errors.New("mine")
	fails := map[string]struct {
		write func(*Tx) error
		want  error
	}{
		"a row that is there": {func(tx *Tx) error { return tx.Insert(`INSERT INTO notes (id) VALUES ($1)`, "there") }, ErrExists},
		"who hears": {func(tx *Tx) error {
			return tx.Then(`DELETE FROM notes`, nil, nil, func(int64) error { return mine })
		}, mine},
		"who reads": {func(tx *Tx) error {
			return tx.Then(`SELECT id FROM notes`, nil, func(Scanner) error { return mine }, func(int64) error { return nil })
		}, mine},
		"a panic behind an answer": {func(tx *Tx) error {
			return tx.Then(`DELETE FROM notes`, nil, nil, func(int64) error { panic("mine") })
		}, nil},
		"a statement": {func(tx *Tx) error { return tx.Later(`INSERT INTO notes (id) VALUES (NULL), ('x'), ('x')`) }, nil},
		"a lost error": {func(tx *Tx) error {
			if _, err := tx.Exec(`DELETE FROM no_such_table`); err != nil && tx.pipe == nil {
				return err // SQLite undoes only the statement
			}
			return nil
		}, nil},
	}
	for name, options := range map[string]func(*testing.T) Options{
		"sqlite":   func(t *testing.T) Options { return Options{Dir: t.TempDir()} },
		"postgres": func(t *testing.T) Options { return Options{Postgres: sqldbtest.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openTest(t, options(t))
			if err := note(t.Context(), db, "there", 1); err != nil {
				t.Fatal(err)
			}
			began, goOn := make(chan struct{}), make(chan struct{})
			var all sync.WaitGroup
			all.Go(func() {
				_ = db.Write(context.Background(), "hold", func(*Tx) error { close(began); <-goOn; return nil })
			})
			<-began
			waits := map[string]func() error{}
			for what, f := range fails {
				waits["before "+what] = db.BeginSynced(t.Context(), "store a neighbour", func(tx *Tx) error {
					return tx.Insert(`INSERT INTO notes (id) VALUES ($1)`, "before "+what)
				})
				waits[what] = db.BeginSynced(t.Context(), what, func(tx *Tx) error {
					if err := tx.Later(`INSERT INTO notes (id) VALUES ($1)`, "of "+what); err != nil {
						return err
					}
					return f.write(tx)
				})
			}
			close(goOn)
			all.Wait()
			for what, wait := range waits {
				err := wait()
				f, failing := fails[what]
				if failing == (err == nil) || failing && f.want != nil && !errors.Is(err, f.want) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if n := count(t, db); n != 1+len(fails) {
				t.Errorf("%d notes, want the first one and %d neighbours", n, len(fails))
			}
		})
	}
}

// After a restart of the server while nothing was written, a new connection is used. A server that
// goes away during a transaction makes only that one fail.
func TestLostPipeline(t *testing.T) {
	t.Parallel()
	dsn := sqldbtest.Postgres(t)
	db, other := openTest(t, Options{Postgres: dsn}), openTest(t, Options{Postgres: dsn})
	end := func(pid int) {
		if _, err := other.sql.ExecContext(t.Context(), `SELECT pg_terminate_backend($1, 5000)`, pid); err != nil {
			t.Error(err)
		}
	}
	pid := 0
	whoAmI := func(tx *Tx) error { return tx.Row(`SELECT pg_backend_pid()`, nil, &pid) }
	if err := db.Write(t.Context(), "look", whoAmI); err != nil {
		t.Fatal(err)
	}
	end(pid)
	db.writer.used = db.writer.used.Add(-rested)
	if err := note(t.Context(), db, "after a rest", 1); err != nil {
		t.Error(err)
	}
	err := db.Write(t.Context(), "lose the server", func(tx *Tx) error {
		if err := whoAmI(tx); err != nil {
			return err
		}
		end(pid)
		return tx.Later(`INSERT INTO notes (id) VALUES ('lost')`)
	})
	if err == nil {
		t.Error("a write was committed by a server that was gone")
	}
	if err := note(t.Context(), db, "next", 1); err != nil {
		t.Error(err)
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
}

// A write that did nothing sends nothing to the server.
func TestEmptyPipeline(t *testing.T) {
	t.Parallel()
	db := openTest(t, Options{Postgres: sqldbtest.Postgres(t)})
	var p *pipeline
	if err := db.Write(t.Context(), "wait", func(tx *Tx) error { p = tx.pipe; return nil }); err != nil || p.sent {
		t.Errorf("sent: %v, error %v", p.sent, err)
	}
	if err := db.Write(t.Context(), "fail", func(tx *Tx) error { p = tx.pipe; return ErrLimit }); !errors.Is(err, ErrLimit) || p.sent {
		t.Errorf("sent: %v, error %v", p.sent, err)
	}
}
