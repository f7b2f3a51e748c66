package sqldb

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// Of several servers the one that works is found, also after one that does not answer, within the
// time in which hosts check each other.
func TestPostgresOfSeveral(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(sqldbtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // nobody was let in
	_, port, err := net.SplitHostPort(silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("host", "127.0.0.1,"+q.Get("host"))
	q.Set("port", port+","+q.Get("port"))
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(t.Context(), 2*eachServer+2*lockWait)
	defer cancel()
	db, err := Open(ctx, Options{Postgres: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// A read-only server is not used, whether or not the connection string says so.
func TestPostgresThatOnlyReads(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(sqldbtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("default_transaction_read_only", "on")
	u.RawQuery = q.Encode()
	db, err := Open(t.Context(), Options{Postgres: u.String()})
	if err == nil {
		_ = db.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(Reason(err), "use the primary") {
		t.Errorf("%q: %v", Reason(err), err)
	}
}

// Two processes each want a row that the other has changed. The database ends one transaction,
// which is retried, and neither caller gets an error.
func TestCrossingWrites(t *testing.T) {
	t.Parallel()
	dsn := sqldbtest.Postgres(t)
	dbs := []*DB{openTest(t, Options{Postgres: dsn}), openTest(t, Options{Postgres: dsn})}
	for _, id := range []string{"0", "1"} {
		if err := note(t.Context(), dbs[0], id, 1); err != nil {
			t.Fatal(err)
		}
	}
	var both, writes sync.WaitGroup
	both.Add(2)
	var tries [2]int
	for i, db := range dbs {
		writes.Go(func() {
			err := db.Write(t.Context(), "cross", func(tx *Tx) error {
				if _, err := tx.Exec(`UPDATE notes SET body = $2 WHERE id = $1`, fmt.Sprint(i), []byte("mine")); err != nil {
					return err
				}
				if tries[i]++; tries[i] == 1 {
					both.Done()
					both.Wait()
				}
				_, err := tx.Exec(`UPDATE notes SET body = $2 WHERE id = $1`, fmt.Sprint(1-i), []byte("mine"))
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	writes.Wait()
	if tries[0]+tries[1] < 3 {
		t.Errorf("the writes did not cross: they were tried %v times", tries)
	}
}

// A process that is stopped in a transaction blocks the others for less time than they wait for a
// lock.
func TestFrozenTransaction(t *testing.T) {
	t.Parallel()
	dsn := sqldbtest.Postgres(t)
	stopped, other := openTest(t, Options{Postgres: dsn}), openTest(t, Options{Postgres: dsn})
	if err := note(t.Context(), other, "a", 1); err != nil {
		t.Fatal(err)
	}
	inside, woken, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- stopped.Write(t.Context(), "freeze", func(tx *Tx) error {
			_, err := tx.Exec(`UPDATE notes SET body = 'frozen'`)
			close(inside)
			<-woken
			return err
		})
	}()
	<-inside
	err := other.Write(t.Context(), "go on", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE notes SET body = 'other'`)
		return err
	})
	close(woken)
	if err != nil {
		t.Errorf("the other could not write: %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("the frozen transaction has committed what another has changed since")
	}
}
