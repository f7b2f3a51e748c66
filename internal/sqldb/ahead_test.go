package sqldb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// openAhead opens a database with a table of things, whose writes may go ahead.
func openAhead(t *testing.T, dir string) *DB {
	t.Helper()
	return openHearing(t, dir, func(err error) { t.Errorf("a write was refused: %v", err) })
}

// openHearing is openAhead for a test in which rows are refused.
func openHearing(t *testing.T, dir string, refused func(error)) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: dir, File: fileName, Ahead: refused})
	check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	check(t, exec(t, db, `CREATE TABLE IF NOT EXISTS things (name TEXT PRIMARY KEY CHECK (name <> 'wrong'), n INTEGER NOT NULL, data BLOB)`))
	return db
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, db *DB, query string, args ...any) error {
	t.Helper()
	return db.Write(t.Context(), "exec", func(tx *Tx) error {
		_, err := tx.Exec(query, args...)
		return err
	})
}

// put writes a thing ahead.
func put(ctx context.Context, db *DB, name string, n int) error {
	return db.WriteAhead(ctx, "write a thing", []string{name}, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO things (name, n, data) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET n = excluded.n`, name, n, []byte(name))
		return err
	})
}

func number(ctx context.Context, t *testing.T, db *DB, name string) int {
	t.Helper()
	var n int
	if err := db.Row(ctx, `SELECT n FROM things WHERE name = $1`, []any{name}, &n); errors.Is(err, ErrNotFound) {
		return -1
	} else if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every reader sees the rows of a write that went ahead, and they are in their place among all
// writes. Only a reader that does not ask for them may miss them.
func TestAheadIsSeen(t *testing.T) {
	ctx, db := t.Context(), openAhead(t, t.TempDir())
	before := db.Stats()
	check(t, put(ctx, db, "a", 1))
	if after := db.Stats(); after.Synced != before.Synced {
		t.Error("SQLite was waited for")
	}
	if n := number(Apart(ctx), t, db, "a"); n != -1 {
		t.Errorf("who waits for nothing reads %d", n)
	}
	if n := number(Concerning(ctx, "b"), t, db, "a"); n != -1 {
		t.Errorf("who wants another row reads %d", n)
	}
	if n := number(Concerning(ctx, "b", "a"), t, db, "a"); n != 1 {
		t.Errorf("who wants the row reads %d", n)
	}
	check(t, put(ctx, db, "a", 2))
	if n := number(ctx, t, db, "a"); n != 2 {
		t.Errorf("who wants all rows reads %d", n)
	}
	check(t, put(ctx, db, "a", 3))
	check(t, exec(t, db, `UPDATE things SET n = n * 10`))
	check(t, put(ctx, db, "a", 4))
	_, err := db.SQL().ExecContext(ctx, `UPDATE things SET n = n * 10`) // by another connection
	check(t, err)
	if n := number(ctx, t, db, "a"); n != 40 {
		t.Errorf("writes were not made in the order they came in: %d", n)
	}
}

// Many concurrent writes, more than the log holds: all rows are there, each with its last number,
// and the log has not grown.
func TestAheadOfMany(t *testing.T) {
	dir := t.TempDir()
	db := openAhead(t, dir)
	const writers, each = 16, 600 // about 7 MiB of records
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			name := fmt.Sprintf("%d/%0800d", w, w)
			for n := range each {
				if err := put(t.Context(), db, name, n); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for w := range writers {
		if n := number(t.Context(), t, db, fmt.Sprintf("%d/%0800d", w, w)); n != each-1 {
			t.Errorf("%d is at %d", w, n)
		}
	}
	for i := range 2 {
		if info, err := os.Stat(filepath.Join(dir, fmt.Sprintf(fileName+"-ahead%d", i))); err == nil && info.Size() > 2<<20 {
			t.Errorf("file %d of the log has %d bytes", i, info.Size())
		}
	}
	check(t, db.Close())
	db = openAhead(t, dir)
	if n := number(t.Context(), t, db, fmt.Sprintf("%d/%0800d", 3, 3)); n != each-1 {
		t.Errorf("after a restart it is at %d", n)
	}
}

// A write that goes to the disk also takes the rows there that are only in the file. It does so
// even if it changes nothing, although SQLite does not sync such a commit.
func TestAheadReachesTheDisk(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db := openAhead(t, dir)
	turn := func(db *DB) (n int) {
		t.Helper()
		check(t, db.Row(ctx, `SELECT turn FROM sqldb_ahead`, nil, &n))
		return n
	}
	nothing := func(*Tx) error { return nil }
	check(t, put(ctx, db, "a", 1))
	before := turn(db) // the rows are in the file
	check(t, db.Write(ctx, "change nothing", nothing))
	if now := turn(db); now != before+1 {
		t.Errorf("the write was synced %d times", now-before)
	}
	check(t, db.Write(ctx, "change nothing", nothing))
	if now := turn(db); now != before+1 {
		t.Error("rows are taken to the disk that are there")
	}
	check(t, db.Close())
	if now := turn(openAhead(t, dir)); now <= before+1 {
		t.Error("the log was emptied before a sync")
	}
}

// A database of the first version with a log, whose table has no turns, opens with its rows and
// keeps working.
func TestAheadOfTheFirstVersion(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db := openAhead(t, dir)
	check(t, put(ctx, db, "a", 1))
	check(t, db.Close())
	db, err := Open(ctx, Options{Dir: dir, File: fileName})
	check(t, err)
	check(t, exec(t, db, `ALTER TABLE sqldb_ahead DROP COLUMN turn`))
	check(t, db.Close())
	for n := range 2 {
		db = openAhead(t, dir)
		check(t, put(ctx, db, "b", n))
		if a, b := number(ctx, t, db, "a"), number(ctx, t, db, "b"); a != 1 || b != n {
			t.Errorf("the rows are %d and %d, want 1 and %d", a, b, n)
		}
		check(t, db.Close())
	}
}

// A statement that the database refuses is reported. It undoes its own write, and no other.
func TestAheadRefused(t *testing.T) {
	var told []error // complete before number returns, below
	ctx, db := t.Context(), openHearing(t, t.TempDir(), func(err error) { told = append(told, err) })
	check(t, put(ctx, db, "before", 1))
	check(t, db.WriteAhead(ctx, "write two", []string{"half"}, func(tx *Tx) error {
		if _, err := tx.Exec(`INSERT INTO things (name, n) VALUES ('half', 1)`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO things (name, n) VALUES ('wrong', 1)`)
		return err
	}))
	check(t, put(ctx, db, "behind", 1))
	for name, want := range map[string]int{"before": 1, "half": -1, "behind": 1} {
		if n := number(ctx, t, db, name); n != want {
			t.Errorf("%s is %d, want %d", name, n, want)
		}
	}
	if len(told) != 1 {
		t.Errorf("told: %v", told)
	}
}

// A write that goes ahead reads nothing, takes only arguments of the database's types, and leaves
// nothing when its function fails.
func TestAheadTakesChangesOnly(t *testing.T) {
	ctx, db := t.Context(), openAhead(t, t.TempDir())
	wrong := errors.New("wrong")
	for what, fn := range map[string]func(*Tx) error{
		"a failure": func(tx *Tx) error {
			_, err := tx.Exec(`INSERT INTO things (name, n) VALUES ('x', 1)`)
			return errors.Join(err, wrong)
		},
		"rows": func(tx *Tx) error {
			_, err := All(ctx, tx, func(row Scanner) (n int, err error) { return n, row.Scan(&n) }, `SELECT 1`)
			return err
		},
		"a row":        func(tx *Tx) error { var n int; return tx.Row(`SELECT 1`, nil, &n) },
		"a wrong kind": func(tx *Tx) error { _, err := tx.Exec(`SELECT $1`, struct{}{}); return err },
	} {
		if err := db.WriteAhead(ctx, "try", nil, fn); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if n := number(ctx, t, db, "x"); n != -1 {
		t.Errorf("a write that failed has left %d", n)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := put(ended, db, "late", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
}

// While rows cannot be written, no further write goes ahead, no reader takes the rows for missing,
// and other tables can be read. Afterwards the rows come before all writes made then.
func TestAheadWhileTheFileIsLocked(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db := openAhead(t, dir)
	pragma(t, db, "busy_timeout=20")
	check(t, put(ctx, db, "room", 1))
	if n := number(ctx, t, db, "room"); n != 1 {
		t.Fatal(n)
	}
	other, err := sql.Open("sqlite", "file:"+filepath.Join(dir, fileName)+"?_txlock=immediate")
	check(t, err)
	defer other.Close()
	lock, err := other.BeginTx(ctx, nil)
	check(t, err)
	check(t, put(ctx, db, "a", 1))
	for what, reads := range map[string]context.Context{"all rows": ctx, "the row": Concerning(ctx, "a")} {
		var n int
		if err := db.Row(reads, `SELECT n FROM things WHERE name = 'a'`, nil, &n); !errors.Is(Wrap("read", err), ErrBusy) {
			t.Errorf("who wants %s reads %d, %v", what, n, err)
		}
	}
	if n := number(Apart(ctx), t, db, "room"); n != 1 {
		t.Errorf("who waits for nothing reads %d", n)
	}
	if err := put(ctx, db, "b", 1); !errors.Is(err, ErrBusy) {
		t.Errorf("another write went ahead: %v", err)
	}
	if err := exec(t, db, `UPDATE things SET n = 4`); !errors.Is(err, ErrBusy) {
		t.Errorf("a write overtakes rows that are to come: %v", err)
	}
	check(t, lock.Rollback())
	check(t, exec(t, db, `UPDATE things SET n = 5`))
	for name, want := range map[string]int{"room": 5, "a": 5, "b": -1} {
		if n := number(ctx, t, db, name); n != want {
			t.Errorf("%s is %d, want %d", name, n, want)
		}
	}
	check(t, put(ctx, db, "b", 1))
	if n := number(ctx, t, db, "b"); n != 1 {
		t.Errorf("afterwards: %d", n)
	}
}

// copyOf returns a copy of a database's files as a process that is killed now would leave them.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	for _, end := range []string{"", "-wal", "-ahead0", "-ahead1"} {
		raw, err := os.ReadFile(filepath.Join(dir, fileName+end))
		if !errors.Is(err, os.ErrNotExist) {
			check(t, errors.Join(err, os.WriteFile(filepath.Join(to, fileName+end), raw, 0o600)))
		}
	}
	return to
}

// The next process writes the rows of one that was killed: after those already there, in order, up
// to a record that is damaged or missing, and each once.
func TestAheadOfAKilledProcess(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db := openHearing(t, dir, func(error) {})
	check(t, put(ctx, db, "there", 1))
	check(t, exec(t, db, `UPDATE things SET n = 7`))
	release := hold(t, db)
	for n := range 5 {
		check(t, put(ctx, db, fmt.Sprint("row", n), n))
	}
	check(t, db.WriteAhead(ctx, "be refused", nil, func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO things (name, n) VALUES ('wrong', 1)`)
		return err
	}))
	check(t, put(ctx, db, "last", 1))
	killed := copyOf(t, dir)
	release()
	refused := 0
	found := func(dir string, want map[string]int) {
		t.Helper()
		db := openHearing(t, dir, func(error) { refused++ })
		for name, n := range want {
			if got := number(ctx, t, db, name); got != n {
				t.Errorf("%s is %d, want %d", name, got, n)
			}
		}
		check(t, exec(t, db, `UPDATE things SET n = n + 100`))
		check(t, put(ctx, db, "next", 1))
		check(t, db.Close())
		db = openAhead(t, dir)
		for name, n := range want {
			if got := number(ctx, t, db, name); n >= 0 && got != n+100 {
				t.Errorf("opened again, %s is %d, want %d", name, got, n+100)
			}
		}
		check(t, db.Close())
	}
	found(copyOf(t, killed), map[string]int{"there": 7, "row0": 0, "row4": 4, "last": 1})
	if refused != 1 {
		t.Errorf("the next process hears %d times of what is refused", refused)
	}

	damaged := copyOf(t, killed)
	log := filepath.Join(damaged, fileName+"-ahead0")
	raw, err := os.ReadFile(log)
	check(t, err)
	at := bytes.Index(raw, []byte("row2"))
	raw[at]++
	check(t, os.WriteFile(log, raw, 0o600))
	found(damaged, map[string]int{"there": 7, "row0": 0, "row1": 1, "row2": -1, "row3": -1, "last": -1})

	short := copyOf(t, killed)
	check(t, os.WriteFile(filepath.Join(short, fileName+"-ahead0"), raw[:at], 0o600))
	found(short, map[string]int{"there": 7, "row1": 1, "row2": -1})

	older := copyOf(t, killed) // the database as it was before the first record
	fresh := t.TempDir()
	check(t, openAhead(t, fresh).Close())
	for _, end := range []string{"", "-wal"} {
		raw, err := os.ReadFile(filepath.Join(fresh, fileName+end))
		if err == nil {
			check(t, os.WriteFile(filepath.Join(older, fileName+end), raw, 0o600))
		} else {
			check(t, os.RemoveAll(filepath.Join(older, fileName+end)))
		}
	}
	found(older, map[string]int{"there": 1, "row4": 4, "last": 1}) // the rows are added to those it has
}

// FuzzLog: any file content is read or ignored, and what is read either decodes to a list of
// statements or is refused.
func FuzzLog(f *testing.F) {
	one, err := statements{{query: `INSERT INTO things VALUES ($1, $2, $3, $4, $5, $6)`, args: []any{nil, int64(-1), 1.5, "text", []byte{0}, true}}}.encode(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(one)
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, raw []byte) {
		found := map[uint64][]byte{}
		split(raw, found)
		if list, err := decode(raw); err == nil {
			again, err := list.encode(nil)
			if err == nil {
				_, err = decode(again)
			}
			if err != nil {
				t.Errorf("%x is not what it was: %v", raw, err)
			}
		}
	})
}
