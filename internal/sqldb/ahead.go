package sqldb

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// A write that goes ahead is on the disk as one record of a log before its rows are in the
// database. The rows are written in the order of the records and before every later write. Every
// read of the database waits for these rows, so no reader sees a difference; a reader that names
// what it is about to read, with [Concerning], waits only if that is affected.

// ahead keeps the writes whose rows are not yet in the database.
type ahead struct {
	w *writer

	applied atomic.Uint64 // number of the last record whose rows are in the file
	durable atomic.Uint64 // number of the last record whose rows are on the disk, too
	stuck   atomic.Pointer[error]

	logging sync.Mutex // held while the log is written to
	log     *aheadLog

	mu      sync.Mutex
	queue   []*aheadJob
	leading bool           // a caller is writing to the log, or has been told to
	broken  bool           // the log cannot be written
	behind  map[string]int // number of writes whose rows are not in the file, by the name they concern
	rows    atomic.Int64   // number of all writes whose rows are not in the file
}

// aheadJob is one caller's write.
type aheadJob struct {
	record []byte
	about  []string
	rows   *job
	told   chan aheadWord // buffered for both words
}

// aheadWord tells the caller of a write to write to the log (lead), or how that ended.
type aheadWord struct {
	lead bool
	err  error
}

// WriteAhead is Write for a write that reads nothing and concerns only the names in about. It
// returns when the write can no longer be lost; its rows are written to the database afterwards. A
// reader of one of the names that does not want to wait for all rows uses [Concerning]. fn runs
// once, except for [Tx.Revised], and each of its statements reports that it touched one row. If the
// database later refuses a statement, such as a row that refers to a deleted one, the whole write
// is dropped and [Options.Ahead] is called. Without Options.Ahead, WriteAhead is Write.
func (db *DB) WriteAhead(ctx context.Context, what string, about []string, fn func(*Tx) error) error {
	a := db.ahead
	if a == nil {
		return db.Write(ctx, what, fn)
	}
	if err := ctx.Err(); err != nil {
		return Wrap(what, err)
	}
	var changes statements
	if err := safely(&Tx{db: db, ctx: ctx, sql: &changes}, fn); err != nil {
		return Wrap(what, err)
	}
	record, err := changes.encode(nil)
	if err != nil {
		return Wrap(what, err)
	}
	rows := newJob(context.WithoutCancel(ctx), changes.run, lingering)
	rows.then = func(err error) {
		if err != nil {
			db.opt.Ahead(Wrap(what, err))
		}
	}
	err = a.append(&aheadJob{record: record, about: about, rows: rows, told: make(chan aheadWord, 2)})
	if errors.Is(err, errLogFull) {
		return db.Write(ctx, what, fn) // which makes room
	}
	return Wrap(what, err)
}

// append returns when the record is on the disk. Records that arrive while others are being written
// are written together.
func (a *ahead) append(j *aheadJob) error {
	if err := a.stuck.Load(); err != nil {
		return *err
	}
	a.mu.Lock()
	if a.broken {
		a.mu.Unlock()
		return errLogFull
	}
	a.queue = append(a.queue, j)
	lead := !a.leading
	a.leading = true
	a.mu.Unlock()
	if !lead {
		if word := <-j.told; !word.lead {
			return word.err
		}
	}
	a.lead()
	return (<-j.told).err
}

// lead writes all queued records, including the caller's, and tells the next waiting caller to
// lead.
func (a *ahead) lead() {
	a.mu.Lock()
	group := a.queue
	a.queue = nil
	a.mu.Unlock()
	err := a.write(group)
	a.mu.Lock()
	if err != nil && !errors.Is(err, errLogFull) {
		a.broken, err = true, errLogFull // the write to the database reports what is wrong with the disk
	}
	if a.leading = len(a.queue) > 0; a.leading {
		a.queue[0].told <- aheadWord{lead: true}
	}
	a.mu.Unlock()
	for _, j := range group {
		j.told <- aheadWord{err: err}
	}
}

// write writes a group to the log and queues its rows.
func (a *ahead) write(group []*aheadJob) error {
	a.logging.Lock()
	defer a.logging.Unlock()
	records := make([][]byte, len(group))
	for i, j := range group {
		records[i] = j.record
	}
	first := a.log.next
	if err := a.log.append(records, a.durable.Load()); err != nil {
		return err
	}
	a.mu.Lock()
	a.rows.Add(int64(len(group)))
	for i, j := range group {
		j.rows.number, j.rows.about = first+uint64(i), j.about
		for _, name := range j.about {
			a.behind[name]++
		}
	}
	a.mu.Unlock()
	a.w.follow(group)
	return nil
}

// follow queues the rows of a group. If the writer is closed, the next [Open] writes them.
func (w *writer) follow(group []*aheadJob) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		w.alone.Reset(linger)
	}
	for _, j := range group {
		w.queue = append(w.queue, j.rows)
	}
}

// followed records that the rows of a write are in the database, or were refused.
func (a *ahead) followed(j *job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rows.Add(-1)
	for _, name := range j.about {
		if a.behind[name]--; a.behind[name] == 0 {
			delete(a.behind, name)
		}
	}
}

// Apart is Concerning for tables that no write of [DB.WriteAhead] touches.
func Apart(ctx context.Context) context.Context { return Concerning(ctx) }

// flowing reports whether rows can be written at the moment.
func (a *ahead) flowing() bool { return a.stuck.Load() == nil }

// committed records a commit of the writer. number is the last record whose rows it holds; 0 for
// none.
func (a *ahead) committed(number uint64, toDisk bool) {
	if number > 0 {
		a.applied.Store(number)
		a.stuck.Store(nil)
	}
	if toDisk {
		a.durable.Store(a.applied.Load())
	}
}

// owes reports whether the file holds rows that a power cut may lose.
func (a *ahead) owes() bool { return a.durable.Load() < a.applied.Load() }

type concerningKey struct{}

// Concerning makes reads with ctx wait for rows of [DB.WriteAhead] only if a write that concerns
// one of the names has rows outstanding.
func Concerning(ctx context.Context, names ...string) context.Context {
	return context.WithValue(ctx, concerningKey{}, names)
}

// await returns when the rows that a read with ctx may want are in the database. If they cannot be
// written, as on a full disk, it returns the reason: the reader must not take them for missing.
func (a *ahead) await(ctx context.Context) error {
	if a.rows.Load() == 0 {
		return nil
	}
	if names, ok := ctx.Value(concerningKey{}).([]string); ok && !a.concerns(names) {
		return nil
	}
	return a.w.wait(newJob(ctx, func(*Tx) error { return nil }, unsynced))
}

func (a *ahead) concerns(names []string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range names {
		if a.behind[name] > 0 {
			return true
		}
	}
	return false
}

// refused reports whether the database rejects a statement as wrong, and would on every retry.
func refused(err error) bool {
	lite, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	switch lite.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}

const (
	makeApplied  = `CREATE TABLE IF NOT EXISTS sqldb_ahead (id INTEGER PRIMARY KEY CHECK (id = 1), applied INTEGER NOT NULL)`
	hasTurn      = `SELECT count(*) FROM pragma_table_info('sqldb_ahead') WHERE name = 'turn'` // the first versions did not have it
	addTurn      = `ALTER TABLE sqldb_ahead ADD COLUMN turn INTEGER NOT NULL DEFAULT 0`
	beginApplied = `INSERT INTO sqldb_ahead (id, applied) VALUES (1, 0) ON CONFLICT (id) DO NOTHING`
	readApplied  = `SELECT applied FROM sqldb_ahead`
	// setApplied changes the row even if applied stays the same: SQLite does not sync a commit that
	// changes nothing.
	setApplied = `UPDATE sqldb_ahead SET applied = $1, turn = turn + 1`
)

// openAhead writes the rows that the last process left in the log, and lets writes go ahead.
func (db *DB) openAhead(ctx context.Context, path string) error {
	applied := int64(0)
	err := db.Write(ctx, "open the log", func(t *Tx) error {
		turns := 0
		err := change(t, makeApplied)
		if err == nil {
			err = t.Row(hasTurn, nil, &turns)
		}
		if err == nil && turns == 0 {
			err = change(t, addTurn)
		}
		if err == nil {
			err = change(t, beginApplied)
		}
		if err != nil {
			return err
		}
		return t.Row(readApplied, nil, &applied)
	})
	if err != nil {
		return err
	}
	log := newAheadLog(path)
	records, err := log.read(uint64(applied))
	if err != nil {
		return Wrap("read the log", err)
	}
	for _, record := range records {
		applied++
		if err := db.replay(ctx, record, applied); err != nil {
			return err
		}
	}
	// All rows must be on the disk before the log is emptied, including those that a process wrote
	// before it was killed.
	if err := db.Write(ctx, "sync the log's rows", func(t *Tx) error { return change(t, setApplied, applied) }); err != nil {
		return err
	}
	if err := log.begin(uint64(applied)); err != nil {
		return Wrap("empty the log", err)
	}
	db.ahead = db.writer.ahead
	db.ahead.log = log
	db.ahead.applied.Store(uint64(applied))
	db.ahead.durable.Store(uint64(applied))
	return nil
}

// close closes the log. The writer must have been closed before.
func (a *ahead) close() error {
	a.logging.Lock()
	defer a.logging.Unlock()
	return a.log.close()
}

// replay writes the rows of one record, all or none.
func (db *DB) replay(ctx context.Context, record []byte, number int64) error {
	const what = "bring the rows of the last process"
	err := db.WriteUnsynced(ctx, what, func(t *Tx) error {
		changes, err := decode(record)
		if err == nil {
			err = changes.run(t)
		}
		if err != nil {
			return err
		}
		return change(t, setApplied, number)
	})
	if refused(err) {
		db.opt.Ahead(err)
		err = db.WriteUnsynced(ctx, what, func(t *Tx) error { return change(t, setApplied, number) })
	}
	return err
}

func change(t *Tx, query string, args ...any) error {
	_, err := t.Exec(query, args...)
	return err
}
