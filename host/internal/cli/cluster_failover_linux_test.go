package cli

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tapnode/tapnode/host/internal/cluster"
)

// pair is a Postgres server and its synchronous standby, under one connection string.
type pair struct{ primary, standby *mortalPostgres }

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{startMortalPostgres(t), newMortalPostgres(t)}
	both := url.Values{"host": {p.primary.dir + "," + p.standby.dir}, "target_session_attrs": {"read-write"}}
	p.follow(t)
	p.primary.via, p.standby.via = both, both
	return p
}

// sql runs any statement on one server.
func (p *mortalPostgres) sql(t *testing.T, statement string) (value string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.local("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // it was only used
	rows, err := conn.Query(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		if err := rows.Scan(&value); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

// follow creates a new standby from the primary, and makes the primary wait for it.
func (p *pair) follow(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(p.standby.dir, "data")); err != nil {
		t.Fatal(err)
	}
	clone := p.standby.command(t, "pg_basebackup", "-R", "--no-sync", "--checkpoint=fast", "-d", "host="+p.primary.dir+" user=tapnode application_name=standby")
	if out, err := clone.CombinedOutput(); err != nil {
		t.Fatalf("pg_basebackup: %v\n%s", err, out)
	}
	p.standby.start(t)
	p.primary.sql(t, "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
	p.primary.sql(t, "SELECT pg_reload_conf()::text")
	deadline(t, func() bool {
		return p.primary.sql(t, "SELECT coalesce(max(sync_state), 'none') FROM pg_stat_replication") == "sync"
	})
}

// fail kills the primary and promotes the standby, which then has no standby of its own.
func (p *pair) fail(t *testing.T) {
	t.Helper()
	p.primary.die(t)
	p.primary, p.standby = p.standby, p.primary
	p.primary.sql(t, "ALTER SYSTEM RESET synchronous_standby_names")
	p.primary.sql(t, "SELECT pg_reload_conf()::text")
	p.primary.sql(t, "SELECT pg_promote()::text")
}

// writes reports whether a host can make a change in the database.
func writes(t *testing.T, h *mortalHost) bool {
	var all struct{ Hosts []cluster.Host }
	if err := h.control.get(t.Context(), http.MethodGet, v1("hosts"), nil, nil, &all); err != nil || len(all.Hosts) == 0 {
		return false
	}
	body := fmt.Appendf(nil, `{"host":%q}`, all.Hosts[0].ID)
	return h.control.get(t.Context(), http.MethodPost, v1("instances", crashInstance(0), "move"), nil, body, nil) == nil
}

// TestClusterFailover: three hosts work on a Postgres server that has a synchronous standby, with
// both in one connection string. While customers are asked and answer, the primary is killed, the
// standby is promoted, and the old primary becomes the standby; then the other way round. Nothing
// that was acknowledged is lost; the checks are those of TestCrashHosts. TAPNODE_CRASH_RUNS and
// TAPNODE_CRASH_FAILOVERS set how much is done.
func TestClusterFailover(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	both := startPair(t)
	c := &crash{t: t, base: both.primary, runs: make([]asked, sized("TAPNODE_CRASH_RUNS", 60)), kills: map[string]int{}}
	c.prepare(3)
	c.ready()
	began, times := time.Now(), sized("TAPNODE_CRASH_FAILOVERS", 2)
	c.serve(func() {
		for i := range times {
			until := int64(3*len(c.runs)*i/times + rand.IntN(3*len(c.runs)/times+1))
			for c.moves.Load() < until && t.Context().Err() == nil && !t.Failed() {
				time.Sleep(5 * time.Millisecond) // a fault needs no precision
			}
			killed := time.Now()
			both.fail(t)
			promoted := time.Now()
			for _, h := range c.hosts() {
				c.until(func() bool { return writes(t, h) })
			}
			t.Logf("promoted after %v, all hosts write after %v more", promoted.Sub(killed).Round(time.Millisecond), time.Since(promoted).Round(time.Millisecond))
			both.follow(t)
			c.kills["the primary"]++
		}
	})
	c.settle()
	c.connected()
	for _, h := range c.hosts() {
		h.stop(t)
	}
	c.verify()
	t.Logf("%d runs, faults %v, %v", len(c.runs), c.kills, time.Since(began).Round(time.Second))
}
