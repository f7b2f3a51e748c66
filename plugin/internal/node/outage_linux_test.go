package node

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
)

// An outage is a time without a database: begin takes it away, and end gives it back.
type outage struct {
	dir, dsn   string
	begin, end func(w *world)
}

// TestOutage: taps that arrive while the database cannot be used are not lost, whatever the fault
// is. The instance disconnects, reports why, and comes back.
func TestOutage(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) *outage{
		"locked": lockedFile, "full": fullDisk, "read-only": readOnlyFile, "postgres gone": postgresGone, "postgres without room": postgresCrowded,
		"postgres failing over": postgresStandby,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := open(t)
			sim, err := wasim.Start(wasim.Options{})
			if err != nil {
				t.Fatal(err)
			}
			dir := o.dir
			if dir == "" {
				dir = t.TempDir()
			}
			outlive(t, worldOn(t, sim, dir, o.dsn), o)
		})
	}
}

const tapsEach = 10 // of five customers

func outlive(t *testing.T, w *world, o *outage) {
	w.pair("shop", shopNumber)
	taps := w.subscribe(opButtonClick, nil)
	menus := map[*wasim.Phone]wasim.Message{}
	for i := range 5 {
		ana := w.customer(fmt.Sprintf("551198888000%d", i))
		w.writes(ana, "hello")
		var out send.Output
		w.must(w.call(send.OpButtons, menuTo(ana.Account().Phone()), &out))
		m, err := ana.WaitID(w.ctx(), out.MessageID)
		w.must(err)
		menus[ana] = m
	}
	o.begin(w)
	tapped := map[string]bool{}
	for range tapsEach {
		for ana, m := range menus {
			id, err := ana.Click(w.ctx(), m, "sales", "")
			w.must(err)
			tapped[id] = true
		}
	}
	w.untilShop("connecting", "storage")
	w.untilHealth(sdk.Unhealthy)
	// On SQLite a message may be sent while the file is locked, if the instance is back for a
	// moment: it is in the log.
	if err := w.call(send.OpText, obj{"instance": "shop", "number": "5511988880000", "contentText": "hi"}, nil); err != nil || w.dsn != "" {
		if p := problemOf(t, err); p.Effect != sdk.EffectNone || !p.Retryable {
			t.Errorf("a send during the outage: %+v", p)
		}
	}
	o.end(w)
	for range len(tapped) {
		var c clicks.Clicked
		w.next(taps, &c)
		if !tapped[c.MessageID] {
			t.Fatalf("a tap nobody made, or one twice: %s", c.MessageID)
		}
		delete(tapped, c.MessageID)
	}
	w.untilShop("connected", "")
	w.untilHealth(sdk.Degraded) // degraded only because it is simulated
	w.must(w.call(send.OpText, obj{"instance": "shop", "number": "5511988880000", "contentText": "hi"}, nil))
}

// untilShop waits for a state of the instance, and for the code of its trouble.
func (w *world) untilShop(state, code string) {
	w.t.Helper()
	var list allInstances
	w.until(func() bool {
		w.must(w.call("whatsapp.instance.list@1", obj{}, &list))
		got := ""
		if e := list.Instances[0].LastError; e != nil {
			got = e.Code
		}
		return string(list.Instances[0].State) == state && got == code
	})
}

func (w *world) untilHealth(state sdk.HealthState) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	seen := false
	_ = w.node.WatchHealth(ctx, func(h sdk.Health) { // it ends with the context
		if h.Subject == "" && h.State == state {
			seen = true
			cancel()
		}
	})
	if !seen {
		w.t.Fatalf("the process never was %s", state)
	}
}

// lockedFile holds SQLite's write lock.
func lockedFile(t *testing.T) *outage {
	var lock *sql.Tx
	return &outage{
		begin: func(w *world) {
			db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "store", store.FileName)+"?_txlock=immediate&_pragma=busy_timeout(20000)")
			w.must(err)
			t.Cleanup(func() { _ = db.Close() })
			lock, err = db.BeginTx(context.Background(), nil)
			w.must(err)
		},
		end: func(w *world) { w.must(lock.Rollback()) },
	}
}

// fullDisk fills the file system that SQLite's file is on.
func fullDisk(t *testing.T) *outage {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	return &outage{
		dir: filepath.Join(dir, "state"),
		begin: func(w *world) {
			f, err := os.Create(ballast)
			w.must(err)
			defer f.Close()
			if _, err := io.Copy(f, endless{}); err == nil {
				w.t.Fatal("the disk is not full")
			}
		},
		end: func(w *world) { w.must(os.Remove(ballast)) },
	}
}

// readOnlyFile takes from SQLite the right to write to its file and its log, for the connections
// that are open and for later ones, as when a file system becomes read-only. (Root ignores a file's
// mode, so its attributes are set.)
func readOnlyFile(t *testing.T) *outage {
	immutable := func(w *world, on bool) {
		w.t.Helper()
		for _, ending := range []string{"", "-wal"} {
			w.must(setImmutable(filepath.Join(w.dir, "store", store.FileName)+ending, on))
		}
	}
	probe := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := setImmutable(probe, true); err != nil {
		t.Skipf("no file can be made immutable here: %v", err)
	}
	if err := setImmutable(probe, false); err != nil {
		t.Fatal(err)
	}
	return &outage{
		begin: func(w *world) {
			t.Cleanup(func() { immutable(w, false) }) // otherwise it could not be removed
			immutable(w, true)
		},
		end: func(w *world) { immutable(w, false) },
	}
}

const fsImmutable = 0x10 // FS_IMMUTABLE_FL of linux/fs.h, which x/sys does not have

func setImmutable(path string, on bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	flags &^= fsImmutable
	if on {
		flags |= fsImmutable
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// postgres is a database of the test's own.
func postgres(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(sqldbtest.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// postgresGone cuts every connection to the server, and refuses new ones.
func postgresGone(t *testing.T) *outage {
	u := postgres(t)
	p := &proxy{socket: filepath.Join(u.Query().Get("host"), ".s.PGSQL."+u.Query().Get("port"))}
	p.open(t, "127.0.0.1:0")
	t.Cleanup(p.close)
	addr := p.listener.Addr().String()
	u.Host, u.RawQuery = addr, "sslmode=disable"
	return &outage{
		dsn:   u.String(),
		begin: func(*world) { p.close() },
		end:   func(w *world) { p.open(w.t, addr) },
	}
}

// postgresCrowded leaves none of the server's connections to the node.
func postgresCrowded(t *testing.T) *outage {
	u := postgres(t)
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	role := fmt.Sprintf("tapnode_crowd_%d", time.Now().UnixNano())
	admin := func(query string) {
		t.Helper()
		if _, err := conn.Exec(context.Background(), query); err != nil {
			t.Fatal(err)
		}
	}
	admin("CREATE ROLE " + role + " LOGIN")
	admin("GRANT ALL ON SCHEMA public TO " + role)
	t.Cleanup(func() { admin("DROP OWNED BY " + role + "; DROP ROLE " + role) })
	u.User = url.User(role)
	return &outage{
		dsn: u.String(),
		begin: func(*world) {
			admin("ALTER ROLE " + role + " CONNECTION LIMIT 0")
			admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + role + "'")
		},
		end: func(*world) { admin("ALTER ROLE " + role + " CONNECTION LIMIT -1") },
	}
}

// postgresStandby cuts every connection, and clients that reconnect find a server that accepts no
// writes, as between a failover and the promotion of the next primary.
func postgresStandby(t *testing.T) *outage {
	u := postgres(t)
	conn, err := pgx.Connect(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	name := u.Path[1:]
	readOnly := func(now string) {
		t.Helper()
		for _, query := range []string{
			"ALTER DATABASE " + name + " SET default_transaction_read_only = " + now,
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "' AND pid <> pg_backend_pid()",
		} {
			if _, err := conn.Exec(context.Background(), query); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &outage{
		dsn:   u.String(),
		begin: func(*world) { readOnly("on") },
		end:   func(*world) { readOnly("off") },
	}
}

// proxy stands between the node and Postgres.
type proxy struct {
	socket string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func (p *proxy) open(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", p.socket)
			if err != nil {
				_ = in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			go copyUntilClosed(in, out)
			go copyUntilClosed(out, in)
		}
	}()
}

func copyUntilClosed(dst, src net.Conn) {
	_, _ = io.Copy(dst, src)
	_ = dst.Close()
}

// close cuts everything. It may be called twice.
func (p *proxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.listener.Close()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}
