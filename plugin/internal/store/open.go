// Package store keeps what a WhatsApp process must not forget, in one database, SQLite or Postgres.
// Each concept has its own package: the ledger of sends, the menus that wait for a click, the
// outbox of events for hosts, the registry of instances, whatsmeow's sessions, the inbox of
// messages, a cache. This package opens the database, holds its schema, and removes old rows.
//
// What all of them guarantee:
//
//   - Safe before answered. A method that writes returns only when a crash of the process cannot
//     lose its data. Data that must survive a power cut is on disk too, unless [Options.Relaxed]:
//     ratchets, together with the intents stored before them, before whatsmeow sends the message
//     they belong to, and events before WhatsApp gets its acknowledgement. A power cut may only
//     lose data that can be obtained again: an outcome (the send is an intent again, and is
//     repeated under its id), receipts, caches. Postgres syncs every commit.
//   - Visible to every reader. With [Options.Alone] a send is in a log on the disk before its rows
//     are in the database (sqldb.DB.WriteAhead), and its outcome in a file; a reader of them waits
//     for the rows.
//   - All or nothing. Every call is one transaction; after an error nothing of it is stored.
//   - Unique by index. One ledger row per (operation, key), one event per id, one owner per
//     instance epoch: enforced by the database, never by reading first and writing later.
//   - Bounded. Every table has a retention and a limit, enforced by [Store.Start].
//
// Times are stored in milliseconds and returned in UTC. JIDs are strings without a device part
// unless a field says otherwise.
package store

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"sync"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

//go:embed schema/*.sql
var files embed.FS

// FileName is the SQLite file in Options.Dir.
const FileName = "tapnode.db"

// Store is an open database, by concept.
type Store struct {
	Registry *registry.Registry
	Devices  *session.Devices
	Ledger   *ledger.Ledger
	Menus    *menus.Menus
	Outbox   *outbox.Outbox
	Inbox    *inbox.Inbox
	Cache    *cache.Cache

	DB      *sqldb.DB
	signals *sqldb.Signals
	sweeper *sqldb.Sweeper
	close   sync.Once
}

// Open opens the database and creates or migrates its tables and whatsmeow's. The caller closes the
// store.
func Open(ctx context.Context, opt Options) (*Store, error) {
	opt = opt.withDefaults()
	where := sqldb.Options{Dir: opt.Dir, File: FileName, Postgres: opt.Postgres, Relaxed: opt.Relaxed}
	if opt.Alone {
		where.Ahead = func(refused error) { // for example rows of a device that was deleted in the meantime
			opt.Log.Warn("rows of a message that was sent were refused", "error", refused)
		}
	}
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	s := &Store{DB: db, signals: db.Signals("tapnode_node"), Devices: session.New(db, opt.Log, opt.Now)}
	if err := s.prepare(ctx, opt); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, opt Options) error {
	schema, err := fs.Sub(files, "schema")
	if err != nil {
		return err
	}
	err = s.DB.Migrate(ctx, sqldb.Schema{Meta: "tapnode_meta", Files: schema}, func() error { return s.Devices.Upgrade(ctx) })
	if err != nil {
		return err
	}
	keep, limits, alone := opt.Retention, opt.Limits, opt.Alone && opt.Postgres == ""
	s.Outbox, err = outbox.Open(ctx, s.DB, s.signals, outbox.Options{
		Keep: keep.Events, KeepAcked: keep.Acknowledged, KeepSeen: keep.Seen, KeepSubscribers: keep.Subscribers,
		Events: limits.Events, Acked: limits.Acknowledged, Seen: limits.Seen, Subscribers: limits.Subscribers, Now: opt.Now,
		Alone: alone,
	})
	if err != nil {
		return err
	}
	s.signals.Look = s.Outbox.Look
	s.Ledger = ledger.New(s.DB, s.Outbox, ledger.Options{Keep: keep.Ledger, Limit: limits.Ledger, Status: opt.Status, Now: opt.Now, Log: opt.Log})
	s.Menus = menus.New(s.DB, keep.Menus, limits.Menus, opt.Now)
	s.Inbox = inbox.New(s.DB, inbox.Options{
		Keep: keep.Messages, KeepContacts: keep.Contacts, Messages: limits.Messages, Contacts: limits.Contacts, Now: opt.Now,
		Alone: alone,
	})
	s.Cache = cache.New(s.DB, limits.Recipients, limits.Uploads, opt.Now)
	s.Registry = registry.New(s.DB, s.signals, limits.Instances, opt.Now,
		registry.Kept{Forget: ledger.Forget, Leave: ledger.Leave},
		registry.Kept{Forget: menus.Forget, Leave: menus.Forget},
		registry.Kept{Forget: s.Inbox.Forget, Leave: s.Inbox.Forget},
		registry.Kept{Forget: cache.Forget, Leave: cache.Forget})
	s.sweeper = sqldb.NewSweeper(opt.Log, s.Outbox.Sweep, s.DB.Sweeping(s.sweeps), s.Ledger.Check)
	if alone {
		return s.Ledger.OpenJournal(ctx, opt.Dir)
	}
	return nil
}

func (s *Store) sweeps() []sqldb.Sweep {
	var all []sqldb.Sweep
	for _, of := range []func() []sqldb.Sweep{
		s.Ledger.Sweeps, s.Menus.Sweeps, s.Outbox.Sweeps, s.Inbox.Sweeps, s.Registry.Sweeps, s.Cache.Sweeps, s.Devices.Sweeps,
	} {
		all = append(all, of()...)
	}
	return all
}

// Start begins to remove old rows in the background and to receive the signals of other processes
// on the same Postgres, until Stop. It is idempotent.
func (s *Store) Start() {
	s.sweeper.Start()
	s.signals.Start()
}

// Stop ends what Start began and waits for it. It is idempotent.
func (s *Store) Stop() {
	s.signals.Stop()
	s.sweeper.Stop()
}

// Sweep removes rows once: those past their retention, events that every subscriber has
// acknowledged, and those over a limit.
func (s *Store) Sweep(ctx context.Context) error { return s.sweeper.Sweep(ctx) }

// Close stops the background work, finishes the writes that are under way and closes the database.
// Later calls fail with sqldb.ErrClosed. It is idempotent.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		s.Stop()
		err = errors.Join(s.DB.Close(), s.Ledger.Close())
		s.signals.Close()
	})
	return err
}
