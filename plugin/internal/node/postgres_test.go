package node

import (
	"strings"
	"testing"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// TestOnPostgres runs the core of this package's tests once more on a server that
// TAPNODE_TEST_POSTGRES names: the worlds of tests below it keep their data there, each in a
// database of its own.
func TestOnPostgres(t *testing.T) {
	t.Parallel()
	if sqldbtest.Server() == "" {
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
		t.Run(c.name, c.test)
	}
}

// newDatabase creates a database for a world and returns its URL; "" if worlds are on SQLite.
func newDatabase(t *testing.T) string {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "TestOnPostgres/") {
		return ""
	}
	return sqldbtest.Postgres(t)
}
