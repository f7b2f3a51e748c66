package sqldb

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// Of several servers the one that works is found, also behind one that says nothing, within the time of one
// look of the hosts at each other.
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

// A server that only reads is none, whether the connection string says so or not.
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
