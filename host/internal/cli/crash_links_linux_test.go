package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/plugin/wasim"
)

// way is all links from a host to the world: to WhatsApp and to each of the Postgres servers.
type way struct {
	whatsapp   *link
	postgreses []*link
}

// openWays gives each of some hosts a way of its own.
func openWays(t *testing.T, hosts int, world *wasim.Server, servers ...*mortalPostgres) (ways []way) {
	for range hosts {
		w := way{whatsapp: openLink(t, func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(world.URL(), "http://"))
		})}
		for _, p := range servers {
			w.postgreses = append(w.postgreses, openLink(t, func(ctx context.Context) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(p.dir, ".s.PGSQL.5432"))
			}))
		}
		ways = append(ways, w)
	}
	return ways
}

// database returns the part of a connection string that names the Postgres servers.
func (w *way) database() url.Values {
	var hosts, ports []string
	for _, l := range w.postgreses {
		host, port, _ := net.SplitHostPort(l.address)
		hosts, ports = append(hosts, host), append(ports, port)
	}
	return url.Values{"host": {strings.Join(hosts, ",")}, "port": {strings.Join(ports, ",")}, "target_session_attrs": {"read-write"}}
}

// link carries connections from a host to a server until it is cut. As with a cut cable, neither
// end notices: data in transit waits until the link is whole again, and so does the end of a
// connection.
type link struct {
	address string // where it listens
	dial    func(context.Context) (net.Conn, error)

	mu    sync.Mutex
	whole chan struct{}   // closed while it is whole
	ends  map[string]bool // addresses of its connections, as the server sees them
}

func openLink(t *testing.T, dial func(context.Context) (net.Conn, error)) *link {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{address: listener.Addr().String(), dial: dial, whole: make(chan struct{}), ends: map[string]bool{}}
	l.heal()
	ctx, quit := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { l.carry(ctx, conn) })
		}
	})
	t.Cleanup(func() {
		quit()
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		work.Wait()
	})
	return l
}

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.whole = make(chan struct{})
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.whole)
}

// from reports whether a server's connection comes through this link.
func (l *link) from(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends[address]
}

// pass waits until the link is whole.
func (l *link) pass(ctx context.Context) error {
	l.mu.Lock()
	whole := l.whole
	l.mu.Unlock()
	select {
	case <-whole:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// carry joins a connection to one of the server's, until both ends are closed or ctx ends.
func (l *link) carry(ctx context.Context, near net.Conn) {
	defer near.Close() //nolint:errcheck // it has ended
	if l.pass(ctx) != nil {
		return
	}
	far, err := l.dial(ctx)
	if err != nil {
		return
	}
	defer far.Close() //nolint:errcheck // it has ended
	end := far.LocalAddr().String()
	l.mu.Lock()
	l.ends[end] = true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.ends, end)
		l.mu.Unlock()
	}()
	defer context.AfterFunc(ctx, func() { _, _ = near.Close(), far.Close() })()
	var both sync.WaitGroup
	for _, to := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			l.copy(ctx, to[1], to[0])
			_ = l.pass(ctx) // the end of a connection does not pass a cut
			_, _ = near.Close(), far.Close()
		})
	}
	both.Wait()
}

func (l *link) copy(ctx context.Context, to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if l.pass(ctx) != nil {
			return
		}
		if _, lost := to.Write(buf[:n]); errors.Join(err, lost) != nil {
			return
		}
	}
}

// TestLink: data sent into a cut link arrives when it is whole again.
func TestLink(t *testing.T) {
	t.Parallel()
	server, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // it was only used
	l := openLink(t, func(ctx context.Context) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", server.Addr().String())
	})
	near, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close() //nolint:errcheck // it was only used
	far, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()                                                     //nolint:errcheck // it was only used
	deadline(t, func() bool { return l.from(far.RemoteAddr().String()) }) // that it knows its own connection
	l.cut()
	if _, err := fmt.Fprint(near, "x"); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b := make([]byte, 1)
		_, _ = far.Read(b)
		got <- string(b)
	}()
	select {
	case s := <-got:
		t.Fatalf("%q came through a cut link", s)
	default:
	}
	l.heal()
	if s := <-got; s != "x" {
		t.Errorf("%q came", s)
	}
}
