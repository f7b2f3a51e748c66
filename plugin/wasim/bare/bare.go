// Package bare is whatsmeow with nothing around it: a client, a session store in
// SQLite or Postgres, and an account of the simulator. It is the program that an author
// writes first, and the baseline of the benchmarks.
//
// What the package guarantees: the clients are whatsmeow's own on whatsmeow's own
// SQL store, without queue, ledger, cache or retry of ours, and they reach the
// given simulator only. The Postgres driver is pgx; the SQLite driver is modernc.org/sqlite, in WAL mode and
// with _txlock=immediate, without which clients that share a file lose messages.
package bare

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/store/sqlstore"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Sync is SQLite's PRAGMA synchronous: what a power cut may destroy.
type Sync string

// The settings.
const (
	Full   Sync = "FULL"   // nothing that is committed
	Normal Sync = "NORMAL" // the last commits; what most programs run with
	Off    Sync = "OFF"    // the whole file; makes pairing fast, because whatsmeow commits 812 keys one by one
)

// connections is how many connections a Store keeps open. By default database/sql keeps two, and
// clients that share a file would spend their time opening it.
const connections = 17

// Options say where a Store is and where its clients connect.
type Options struct {
	File string // the database file; created if it is missing
	Sync Sync

	Postgres string // a connection string, instead of File and Sync

	Server  string // the simulator's URL
	RootKey string // and its root key, 64 hex digits
}

// Store is a session database and the way to the simulator for its clients.
type Store struct {
	db        *sql.DB
	container *sqlstore.Container
	http      *http.Client
}

// Open opens the database. It sets whatsmeow.WACertPubKey, for the whole process.
func Open(ctx context.Context, o Options) (*Store, error) {
	server, err := url.Parse(o.Server)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	root, err := hex.DecodeString(o.RootKey)
	if err != nil || len(root) != 32 {
		return nil, errors.New("root key: want 64 hex digits")
	}
	db, dialect, err := o.open()
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	container := sqlstore.NewWithDB(db, dialect, nil)
	if err := container.Upgrade(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if key := [32]byte(root); whatsmeow.WACertPubKey != key { // others may be connecting
		whatsmeow.WACertPubKey = key
	}
	return &Store{db: db, container: container, http: lead(server.Host)}, nil
}

func (o Options) open() (db *sql.DB, dialect string, err error) {
	if o.Postgres != "" {
		db, err = sql.Open("pgx", o.Postgres)
		return db, "postgres", err
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(" + string(o.Sync) + ")",
	}}
	db, err = sql.Open("sqlite", "file:"+strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(o.File)+"?"+q.Encode())
	return db, "sqlite3", err
}

// Close closes the database. Its clients are disconnected before.
func (s *Store) Close() error {
	s.http.CloseIdleConnections()
	return s.db.Close()
}

// Clients are the clients of all paired devices, not connected.
func (s *Store) Clients(ctx context.Context) ([]*Client, error) {
	devices, err := s.container.GetAllDevices(ctx)
	if err != nil {
		return nil, err
	}
	clients := make([]*Client, len(devices))
	for i, d := range devices {
		clients[i] = s.client(d)
	}
	return clients, nil
}

func (s *Store) client(d *store.Device) *Client {
	c := &Client{cli: whatsmeow.NewClient(d, nil), connected: make(chan struct{}, 1)}
	c.cli.SetPreLoginHTTPClient(s.http)
	c.cli.SetWebsocketHTTPClient(s.http)
	c.cli.SetMediaHTTPClient(s.http)
	c.cli.AddEventHandler(c.handle)
	return c
}

// lead returns a client whose every connection ends at address. For an https URL the
// dialler gives a bare connection too, so that no certificate is asked for.
func lead(address string) *http.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, DialTLSContext: dial}}
}
