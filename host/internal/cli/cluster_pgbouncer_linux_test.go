package cli

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestClusterPgbouncer: two hosts and their nodes reach Postgres only through a pgbouncer with the
// recipe of deploy/, in each of the modes that docs/cluster.md names, while hosts, nodes and the
// server are killed. The checks are those of TestCrashHosts.
func TestClusterPgbouncer(t *testing.T) {
	t.Parallel()
	leftToCrash(t)
	program := needs(t, "pgbouncer")
	for mode, query := range map[string]url.Values{
		"session":     {},
		"transaction": {"default_query_exec_mode": {"exec"}},
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			base := startMortalPostgres(t)
			via, deaths := startPgbouncer(t, program, mode, base)
			for name, values := range via {
				query[name] = values
			}
			base.via = query
			c := &crash{t: t, base: base, runs: make([]asked, sized("TAPNODE_CRASH_RUNS", 40)), kills: map[string]int{}}
			c.prepare(2)
			c.ready()
			c.serve(func() {
				c.trouble(sized("TAPNODE_CRASH_FAULTS", 3), "kill a host", "move an instance", "kill Postgres")
			})
			c.settle()
			c.connected()
			for _, h := range c.hosts() {
				before := deaths.Load()
				if err := h.terminate(); err != nil && deaths.Load() == before { // without pgbouncer no lease can be released
					t.Errorf("the host did not end in order: %v", err)
				}
			}
			base.via = nil // pgbouncer may be down at the moment
			c.verify()
			t.Logf("%d runs, faults %v", len(c.runs), c.kills)
		})
	}
}

// startPgbouncer runs pgbouncer in front of a server, as the server's user, and counts how often it
// dies.
func startPgbouncer(t *testing.T, program, mode string, base *mortalPostgres) (via url.Values, deaths *atomic.Int32) {
	t.Helper()
	deaths = new(atomic.Int32)
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	size := "20"
	if mode == "session" {
		size = "60"
	}
	users := put(t, base.dir, "users", `"tapnode" ""`)
	conf := put(t, base.dir, "pgbouncer.ini", recipe(t, "cluster/pgbouncer.ini", "tapnode = host=10.0.0.20", "runs = host="+base.dir, "tapnode_node = host=10.0.0.20",
		"node = host="+base.dir, "listen_port = 6432", "listen_port = "+port+"\nunix_socket_dir =", "scram-sha-256", "trust", "/etc/pgbouncer/userlist.txt", users,
		"pool_mode = transaction", "pool_mode = "+mode, "default_pool_size = 20", "default_pool_size = "+size))
	for _, file := range []string{users, conf} {
		if err := os.Chmod(file, 0o644); err != nil { //nolint:gosec // another user reads it
			t.Fatal(err)
		}
	}
	said := &said{}
	ctx, quit := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { // Debian's 1.18.0 sometimes dies when a client cancels and leaves; this restarts it, as its service manager would
		defer close(ended)
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, program, conf)
			cmd.SysProcAttr, cmd.Dir = base.as, base.dir
			cmd.Stdout, cmd.Stderr = said, said
			if err := cmd.Run(); ctx.Err() == nil {
				deaths.Add(1)
				t.Logf("pgbouncer ended: %v", err)
			}
		}
	}()
	t.Cleanup(func() {
		quit()
		<-ended
		if out := said.String(); t.Failed() {
			t.Logf("pgbouncer says:\n%s", out[max(0, len(out)-5_000):])
		}
	})
	deadline(t, func() bool {
		conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%s user=tapnode dbname=runs sslmode=disable", port))
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	})
	return url.Values{"host": {"127.0.0.1"}, "port": {port}}, deaths
}
