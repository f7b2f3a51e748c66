package sqldb

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// TestSignals: a topic announced in a transaction wakes its waiters in another process, and no
// others. Where notifications do not arrive, polling replaces them.
func TestSignals(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	open := func(dsn string) (*DB, *Signals) {
		db, err := Open(t.Context(), Options{Postgres: dsn})
		if err != nil {
			t.Fatal(err)
		}
		s := db.Signals("test")
		s.Look = func(context.Context) error {
			s.Wake("looked")
			return nil
		}
		t.Cleanup(func() {
			s.Stop()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db, s
	}
	soon := func(what string, woken <-chan struct{}) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(time.Minute):
			t.Fatalf("%s never came", what)
		}
	}
	speaker, mouth := open(dsn)
	_, ear := open(dsn)
	other := ear.Wait("other")
	ear.Start()
	soon("the end of deafness", other) // starting to receive notifications wakes all waiters
	other = ear.Wait("other")
	one, two := ear.Wait("one"), ear.Wait("two")
	err := speaker.Write(t.Context(), "tell", func(t *Tx) error {
		for _, topic := range []string{"one", "two", "one"} {
			if err := mouth.Tell(t, topic); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	soon("one", one)
	soon("two", two)
	select {
	case <-other:
		t.Error("a topic was woken that nobody told of")
	default:
	}

	_, deaf := open(withoutNotifications(t, dsn))
	other = deaf.Wait("other")
	deaf.Start()
	for n := range 8 {
		soon(fmt.Sprint("look ", n), deaf.Wait("looked"))
	}
	select {
	case <-other:
		t.Error("it takes itself for one that hears")
	default:
	}
}

// withoutNotifications returns the address of a proxy to the server that passes on no
// notifications, as pgbouncer does in transaction mode.
func withoutNotifications(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	network, address := "unix", filepath.Join(q.Get("host"), ".s.PGSQL."+q.Get("port"))
	if !filepath.IsAbs(address) {
		network, address = "tcp", net.JoinHostPort(q.Get("host"), q.Get("port"))
	}
	dir := t.TempDir()
	lis, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	go func() {
		for {
			client, err := lis.Accept()
			if err != nil {
				return
			}
			go relay(client, network, address)
		}
	}()
	q.Set("host", dir)
	q.Set("port", "5432")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	return u.String()
}

func relay(client net.Conn, network, address string) {
	defer client.Close()
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	for {
		head := make([]byte, 5) // the kind of a message, and its length without the kind
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if head[0] == 'A' {
			continue
		}
		if _, err := client.Write(slices.Concat(head, body)); err != nil {
			return
		}
	}
}
