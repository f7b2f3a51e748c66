// Package sqldbtest creates databases for tests on a Postgres server.
package sqldbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is the connection string of the server for tests; its user may create
// databases. It is empty when TAPNODE_TEST_POSTGRES names none (see .ci/with-postgres).
func Server() string { return os.Getenv("TAPNODE_TEST_POSTGRES") }

// Postgres creates a database that exists for as long as the test, and returns its URL. Each test
// has its own, because whatsmeow looks for its tables in every schema of a database. Without a
// server the test is skipped.
func Postgres(t testing.TB) string {
	t.Helper()
	if Server() == "" {
		t.Skip("TAPNODE_TEST_POSTGRES names no server; see .ci/with-postgres")
	}
	conn, err := pgx.Connect(t.Context(), Server())
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("tapnode_%d", time.Now().UnixNano())
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		if err := errors.Join(err, conn.Close(ctx)); err != nil {
			t.Error(err)
		}
	})
	c := conn.Config()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Path: "/" + name, RawQuery: url.Values{
		"host": {c.Host}, "port": {fmt.Sprint(c.Port)}, "sslmode": {"prefer"},
	}.Encode()}
	return u.String()
}
