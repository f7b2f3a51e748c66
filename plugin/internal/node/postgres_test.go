package node

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

// server is the Postgres on which new worlds keep their data, each in a database of its
// own; empty: SQLite.
var server string

// TestOnPostgres runs the core of this package's tests once more on a server that
// TAPNODE_TEST_POSTGRES names.
func TestOnPostgres(t *testing.T) {
	dsn := os.Getenv("TAPNODE_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("TAPNODE_TEST_POSTGRES names no server; see .ci/with-postgres")
	}
	for _, c := range []struct {
		name string
		test func(*testing.T)
	}{
		{"an instance's life, with a restart", TestInstanceLife},
		{"a menu and its click", TestMenuAndClick},
		{"one message per key, over a restart", TestOneMessagePerKey},
		{"a lost answer", TestLostAck},
		{"an old lease", TestStaleEpoch},
		{"a handover", TestHandover},
		{"states over a restart", TestStatesOutliveTheProcess},
	} {
		t.Run(c.name, func(t *testing.T) {
			server = dsn
			defer func() { server = "" }()
			c.test(t)
		})
	}
}

// newDatabase makes a database for a world and gives the URL that leads to it; "" when
// worlds are on SQLite.
func newDatabase(t *testing.T) string {
	t.Helper()
	if server == "" {
		return ""
	}
	return databaseOn(t, server)
}

// databaseOn makes a database on a server, for as long as the test.
func databaseOn(t *testing.T, server string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("tapnode_node_%d", time.Now().UnixNano())
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
