// Package sqllog is an engine.Log that outlives the process: it keeps runs, waits, tasks, steps and
// versions of flows in a database, a SQLite file or Postgres, with the same SQL for both.
//
// What the package guarantees:
//
//   - What Append has confirmed is on the disk: a crash of the process, of the machine or of
//     Postgres loses none of it, and leaves nothing half done.
//   - One host owns a SQLite file: a second is refused with [ErrInUse]. Any number of hosts may
//     share a Postgres database.
//   - A task is handed out to one holder, under a token. On Postgres, the leases of a host that
//     died run out after engine.Lease; on SQLite, where leases live in the process, its tasks are
//     available again at once.
//   - Steps are numbered in the order of their commits: a reader that reads after a sequence never
//     finds a smaller one later, nor, after an older copy was restored, another step under the same
//     sequence.
//   - Everything is bounded. Runs that are over, steps, waits and versions that no run belongs to
//     are removed after [Limits.Keep], and the oldest of them earlier when there are too many. A
//     run that is not over is never removed; when those alone are too many, Append returns ErrFull.
package sqllog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/watchers"
	"github.com/tapnode/tapnode/internal/sqldb"
)

//go:embed schema/*.sql
var files embed.FS

// The SQLite file in Options.Dir, and the table that has the schema version of the others.
const (
	FileName  = "engine.db"
	MetaTable = "engine_meta"
)

// SchemaVersion is the newest version of the tables that this program knows.
func SchemaVersion() int {
	names, _ := fs.Glob(files, "schema/*.sql") // the pattern is valid
	return len(names)
}

// Options say where the database is and how much it may hold.
type Options struct {
	// Dir holds the SQLite file. Not used with Postgres.
	Dir string
	// Postgres is a connection string; empty means SQLite.
	Postgres string
	Limits   Limits
	// Logger is for failures in the background, such as rows that could not be removed; nil is
	// slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Limits bound what a Log keeps. Zero fields have the default.
type Limits struct {
	Runs  int           // 1,000,000
	Bytes int64         // of all states: 4 GiB
	Steps int           // rows, one for each change of a run: 2,000,000
	Keep  time.Duration // of what is over: 30 days, in which a late answer still finds its run
}

func (l Limits) withDefaults() Limits {
	if l.Runs <= 0 {
		l.Runs = 1_000_000
	}
	if l.Bytes <= 0 {
		l.Bytes = 4 << 30
	}
	if l.Steps <= 0 {
		l.Steps = 2_000_000
	}
	if l.Keep <= 0 {
		l.Keep = 30 * 24 * time.Hour
	}
	return l
}

// Log is an engine.Log in a database.
type Log struct {
	db       *sqldb.DB
	begun    int64 // when it was opened, in microseconds; see [group.look]
	limits   Limits
	now      func() time.Time
	desk     desk
	queues   map[engine.Queue]*queue
	flows    news // changes of what is published
	outgoing news // of the outbox
	sweeper  *sqldb.Sweeper
	monitor  *sqldb.Monitor
	owned    *flock.Flock // the lock of a SQLite file; nil with Postgres

	watchers watchers.Set // of steps
	scout    scout        // wakes watchers after changes by other hosts

	seed    maphash.Seed
	stripes [4096]sync.Mutex // keep the changes of one run in order; with so many, a thousand runs at once seldom share one

	close sync.Once
	done  chan struct{}
}

// Open opens the database and makes or migrates its tables. The caller closes the Log.
func Open(ctx context.Context, o Options) (*Log, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	db, err := sqldb.Open(ctx, sqldb.Options{Dir: o.Dir, File: FileName, Postgres: o.Postgres})
	if err != nil {
		return nil, err
	}
	l := &Log{db: db, begun: o.Now().UnixMicro(), limits: o.Limits.withDefaults(), now: o.Now, seed: maphash.MakeSeed(), done: make(chan struct{}),
		queues: map[engine.Queue]*queue{}}
	for _, name := range engine.Queues {
		l.queues[name] = newQueue()
	}
	l.sweeper = sqldb.NewSweeper(o.Logger, l.sweep)
	l.monitor = l.newMonitor(o.Logger)
	if err := l.prepare(ctx, o); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Log) prepare(ctx context.Context, o Options) (err error) {
	l.desk = newShared(l.db, l.now)
	if o.Postgres == "" {
		l.desk = newOwned(l.db, l.now)
		if l.owned, err = own(o.Dir); err != nil {
			return err
		}
	}
	schema, err := fs.Sub(files, "schema")
	if err != nil {
		return err
	}
	return l.db.Migrate(ctx, sqldb.Schema{Meta: MetaTable, Files: schema}, func() error {
		if o.Postgres == "" {
			return nil
		}
		// Done tasks are deleted all the time: a long tail of dead rows makes each claim slow.
		_, err := l.db.SQL().ExecContext(ctx, `ALTER TABLE engine_tasks SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`)
		if err == nil { // on SQLite lanes are kept in memory
			_, err = l.db.SQL().ExecContext(ctx, `CREATE INDEX IF NOT EXISTS engine_tasks_lane ON engine_tasks (queue, lane, at, id)`)
		}
		return err
	})
}

// DB returns the database, for those tables of the host that are not the engine's but are made with
// them.
func (l *Log) DB() *sqldb.DB { return l.db }

// Start begins to remove old rows in the background and to check whether the database can be
// written, until Stop. It is idempotent.
func (l *Log) Start() {
	l.sweeper.Start()
	l.monitor.Start()
}

// Stop ends what Start began and waits for it. It is idempotent.
func (l *Log) Stop() {
	l.monitor.Stop()
	l.sweeper.Stop()
}

// Close ends Next and Watch, finishes the writes that are under way and closes the
// database. It is idempotent.
func (l *Log) Close() error {
	var err error
	l.close.Do(func() {
		close(l.done)
		l.Stop()
		err = l.db.Close()
		if l.owned != nil {
			err = errors.Join(err, l.owned.Close())
		}
	})
	return err
}

// writers is the lock on Postgres of the one transaction at a time that changes runs, steps or
// several tasks. It keeps such transactions from deadlocks, and makes the numbers of steps follow
// the order of the commits.
const writers = 7391562842

// change makes fn a job of the writer, under the lock of all hosts. fn sees what the writes before
// it have added.
func (l *Log) change(fn func(*sqldb.Tx) error) func(*sqldb.Tx) error {
	return func(t *sqldb.Tx) error {
		g, err := l.group(t)
		if err == nil {
			err = g.flush(t)
		}
		if err != nil {
			return err
		}
		return fn(t)
	}
}

func lockWriters(t *sqldb.Tx) error {
	_, err := t.Exec(`SELECT pg_advisory_xact_lock($1)`, writers)
	return err
}

// only makes other changes of a run in this process wait until unlock.
func (l *Log) only(run string) (unlock func()) {
	m := &l.stripes[maphash.String(l.seed, run)%uint64(len(l.stripes))]
	m.Lock()
	return m.Unlock
}

// wrap adds to an error what was being done. The absence of a row becomes engine.ErrNotFound alone,
// because callers need not know where the row was looked for.
func wrap(what string, err error) error {
	if errors.Is(err, sqldb.ErrNotFound) {
		return engine.ErrNotFound
	}
	return sqldb.Wrap(what, err)
}

// ErrInUse means that another Log has the SQLite file open.
var ErrInUse = errors.New("the engine's database is in use by another process")

// own locks the SQLite file in dir against every other Log until the returned lock is closed, at
// the latest until this process ends in whatever way.
func own(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, FileName+".lock"), flock.SetPermissions(0o600))
	ours, err := lock.TryLock()
	if err == nil && !ours {
		err = fmt.Errorf("%s: %w", filepath.Join(dir, FileName), ErrInUse)
	}
	return lock, err
}

func (l *Log) newMonitor(log *slog.Logger) *sqldb.Monitor {
	m := l.db.Monitor(func(err error) {
		if err == nil {
			log.Warn("the database of the runs works again")
			return
		}
		log.Error("the database of the runs cannot be written; runs rest until it can", "reason", sqldb.Reason(err), "err", err)
	})
	if l.db.Dialect() == "postgres" {
		m.First = lockWriters // like every writer, so that two hosts cannot deadlock
	}
	return m
}

// Storage returns why the database cannot be written now, in words that reveal no names; nil if it
// can, as far as is known since Start.
func (l *Log) Storage() error {
	if err := l.monitor.Err(); err != nil {
		return errors.New(sqldb.Reason(err))
	}
	return nil
}

// seen makes the monitor check at once after a write that failed because of the database. It
// returns the error.
func (l *Log) seen(err error) error {
	if err != nil && sqldb.Failed(err) && !errors.Is(err, sqldb.ErrClosed) {
		l.monitor.Suspect()
	}
	return err
}
