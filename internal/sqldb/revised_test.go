package sqldb

import (
	"fmt"
	"sync"
	"testing"
)

// hold keeps rows from being written until release is called.
func hold(t *testing.T, db *DB) (release func()) {
	t.Helper()
	held, goOn := make(chan struct{}), make(chan struct{})
	var holding sync.WaitGroup
	holding.Go(func() {
		if err := db.Write(t.Context(), "hold the rows up", func(*Tx) error { close(held); <-goOn; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-held
	return func() { close(goOn); holding.Wait() }
}

const putThing = `INSERT INTO things (name, n) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET n = excluded.n`

// Of several statements that each overwrite the one before, only the last runs, provided that
// nobody could have read in between and all are written together.
func TestLast(t *testing.T) {
	refused := 0
	ctx, db := t.Context(), openHearing(t, t.TempDir(), func(error) { refused++ })
	check(t, exec(t, db, `CREATE TABLE put (name TEXT, n INTEGER)`))
	for _, on := range []string{"INSERT", "UPDATE"} {
		check(t, exec(t, db, `CREATE TRIGGER put_`+on+` AFTER `+on+` ON things BEGIN INSERT INTO put VALUES (new.name, new.n); END`))
	}
	last := func(n int, also string) {
		t.Helper()
		check(t, db.WriteAhead(ctx, "move on", []string{"session", also}, func(tx *Tx) error {
			if err := tx.Later(putThing, also, n); err != nil {
				return err
			}
			return tx.Last("session", putThing, "session", n)
		}))
	}
	puts := func(want string) {
		t.Helper()
		got, err := One(ctx, db, func(row Scanner) (s string, err error) { return s, row.Scan(&s) },
			`SELECT coalesce(group_concat(name || n, ' '), '') FROM put`)
		if err != nil || got != want {
			t.Errorf("put %s (%v), want %s", got, err, want)
		}
		check(t, exec(t, db, `DELETE FROM put`))
	}

	release := hold(t, db)
	for n := range 3 {
		last(n, fmt.Sprint("row", n))
	}
	release()
	puts("row00 row11 row22 session2")

	release = hold(t, db)
	last(3, "row")
	seen := -1
	wait := db.Begin(ctx, "look", func(tx *Tx) error { return tx.Row(`SELECT n FROM things WHERE name = 'session'`, nil, &seen) })
	last(4, "row")
	release()
	if err := wait(); err != nil || seen != 3 {
		t.Errorf("a write between two of them sees %d, %v", seen, err)
	}
	puts("row3 session3 row4 session4")

	// A refused statement does not take others along: the row that it would have replaced is there.
	release = hold(t, db)
	last(5, "row")
	last(6, "wrong")
	release()
	puts("row5 session5")
	if refused != 1 {
		t.Errorf("%d were refused", refused)
	}
}

// Rows contain what is known when they are written; the log has what was known before.
func TestRevised(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db := openAhead(t, dir)
	revised := func(n *int) func(*Tx) error {
		return func(tx *Tx) error {
			err := tx.Later(putThing, "before", *n)
			if err == nil {
				err = tx.Revised(func(tx *Tx, final bool) error {
					if !final {
						return tx.Later(putThing, "revised", 1) // one more statement, which final does not have
					}
					return tx.Later(putThing, "revised", *n)
				})
			}
			if err == nil {
				err = tx.Later(putThing, "behind", 1)
			}
			return err
		}
	}
	n := 1
	release := hold(t, db)
	check(t, db.WriteAhead(ctx, "write", []string{"a"}, revised(&n)))
	n = 2
	killed := copyOf(t, dir)
	release()
	for dir, want := range map[string]int{dir: 2, killed: 1} {
		db := db
		if dir == killed {
			db = openAhead(t, killed)
		}
		for name, want := range map[string]int{"before": 1, "revised": want, "behind": 1} {
			if got := number(ctx, t, db, name); got != want {
				t.Errorf("%s is %d, want %d", name, got, want)
			}
		}
	}
	n = 3
	check(t, db.Write(ctx, "write in the usual way", revised(&n)))
	if got := number(ctx, t, db, "revised"); got != 3 {
		t.Errorf("it is %d", got)
	}
}
