package cli

import (
	"errors"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// mortalPostgres is a Postgres server that the test starts and kills.
type mortalPostgres struct {
	bin, dir string
	as       *syscall.SysProcAttr // Postgres refuses to run as root
	cmd      *exec.Cmd
	via      url.Values // how to connect, if not to its socket
}

// newMortalPostgres returns a server that has no data yet.
func newMortalPostgres(t *testing.T) *mortalPostgres {
	t.Helper()
	bin, err := exec.CommandContext(t.Context(), "../../../.ci/postgres-bin").Output()
	if err != nil {
		t.Skip("PostgreSQL is not here")
	}
	initdb, err := filepath.EvalSymlinks(filepath.Join(strings.TrimSpace(string(bin)), "initdb"))
	if err != nil {
		t.Fatal(err)
	}
	p := &mortalPostgres{bin: filepath.Dir(initdb), dir: shortDir(t), as: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}}
	if os.Geteuid() == 0 {
		who, err := user.Lookup("postgres")
		if err != nil {
			t.Skip("there is no user postgres")
		}
		uid, _ := strconv.Atoi(who.Uid)
		gid, _ := strconv.Atoi(who.Gid)
		p.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(p.dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(p.dir, 0o755); err != nil { //nolint:gosec // the socket is in it
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end() })
	return p
}

// startMortalPostgres starts a server with a database for the runs and one for the node.
func startMortalPostgres(t *testing.T) *mortalPostgres {
	t.Helper()
	p := newMortalPostgres(t)
	fresh := p.command(t, "initdb", "-U", "tapnode", "-A", "trust", "--no-sync", "--no-locale", "--encoding=UTF8")
	if out, err := fresh.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p.start(t)
	for _, name := range []string{"runs", "node"} {
		conn, err := pgx.Connect(t.Context(), p.local("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *mortalPostgres) url(database string) string { return p.by(database, p.via) }

// local returns a connection string for this server, whatever via says.
func (p *mortalPostgres) local(database string) string { return p.by(database, nil) }

func (p *mortalPostgres) by(database string, via url.Values) string {
	query := url.Values{"host": {p.dir}, "sslmode": {"disable"}}
	maps.Copy(query, via)
	return (&url.URL{Scheme: "postgres", User: url.User("tapnode"), Path: "/" + database, RawQuery: query.Encode()}).String()
}

func (p *mortalPostgres) command(t *testing.T, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), filepath.Join(p.bin, name), append([]string{"-D", filepath.Join(p.dir, "data")}, args...)...)
	cmd.SysProcAttr, cmd.Dir = p.as, p.dir
	return cmd
}

// start starts the server once nothing of a killed one is left, and waits until it answers.
func (p *mortalPostgres) start(t *testing.T) {
	t.Helper()
	deadline(t, func() bool {
		// When it is killed, the kernel keeps what it has written, so it need not sync; but its
		// shared memory in /dev/shm would remain.
		p.cmd = p.command(t, "postgres", "-c", "listen_addresses=", "-k", p.dir, "-c", "fsync=off", "-c", "max_connections=400", "-c", "dynamic_shared_memory_type=mmap")
		if err := p.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for alive(p.cmd.Process.Pid) {
			conn, err := pgx.Connect(t.Context(), p.local("postgres"))
			if err == nil {
				return conn.Close(t.Context()) == nil
			}
			time.Sleep(20 * time.Millisecond)
		}
		_ = p.cmd.Wait() // the killed one's memory is still in use
		return false
	})
}

// ask reads one row of a database.
func (p *mortalPostgres) ask(t *testing.T, database, query string, into ...any) error {
	conn, err := pgx.Connect(t.Context(), p.local(database))
	if err != nil {
		return err
	}
	return errors.Join(conn.QueryRow(t.Context(), query).Scan(into...), conn.Close(t.Context()))
}

// kill kills the server with all its processes, and restarts it.
func (p *mortalPostgres) kill(t *testing.T) {
	t.Helper()
	p.die(t)
	p.start(t)
}

// die kills the server without a restart.
func (p *mortalPostgres) die(t *testing.T) {
	t.Helper()
	all := children(t, p.cmd.Process.Pid)
	p.end()
	for _, pid := range all {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended with the first
	}
}

func (p *mortalPostgres) end() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // killed
}
