package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// batchSize bounds how many waiting writes share a transaction.
	batchSize = 256
	// linger is how long a write of [DB.WriteSoon] waits for another one to share its commit.
	linger = 20 * time.Millisecond
	// writerCache lets the writer keep 8 MiB of pages. With SQLite's 2 MiB, a group of writes that
	// changes more would write pages before its end, and again at its end.
	writerCache = "PRAGMA cache_size=-8192"
	// writerUndo keeps in memory the data needed to undo a statement for many rows if it fails.
	// SQLite would create a file for it each time.
	writerUndo = "PRAGMA temp_store=MEMORY"
	// crossings is how often a transaction is retried after a conflict with one of another process
	// (a deadlock or a serialization failure), for which the database has undone it.
	crossings = 5
	// crossingPause is about how long it waits before a retry, longer each time: the other
	// transaction may still have to be woken, and a retry that overtakes it would conflict again.
	crossingPause = 10 * time.Millisecond
	// stuckFor is how long rows that could not be written wait before the next attempt, if nothing
	// else is written.
	stuckFor = time.Second
	// writeTime bounds a transaction on Postgres; SQLite's are bounded by its disk.
	writeTime = 30 * time.Second
)

// writing is the context of the writer's statements: they do not wait for rows of writes that went
// ahead.
var writing = Concerning(context.Background())

// writer commits the writes of all instances. A caller that brings a write while nobody commits
// does so itself, together with all waiting writes, which saves handing over to another goroutine
// and back. Writes that arrive during a sync are committed together by the writer's goroutine, and
// so are writes that nobody waits for. Lingering writes go with the next commit, or alone after a
// moment.
//
// If a write of a batch fails, the whole batch is undone and its writes run again one by one, so
// that each gets its own result.
type writer struct {
	db    *DB
	conn  *sql.Conn
	bound time.Duration
	used  time.Time // when conn last worked

	// commits counts the unsynced commits of decryptions, and onDisk how many of them
	// a synced commit has taken to the disk with it.
	commits, onDisk atomic.Uint64

	stats struct{ writes, commits, synced atomic.Uint64 } // see Stats

	ahead  *ahead        // its rows are in the queue, too
	places chan struct{} // each write in the queue takes one, except the rows of writes that went ahead
	turn   chan struct{} // tells the goroutine to commit
	quit   chan struct{}
	done   chan struct{}

	mu     sync.Mutex
	queue  []*job // in the order they came
	busy   bool   // somebody is committing, or has been told to
	closed bool
	alone  *time.Timer // runs while lingering writes wait
}

// job is one caller's write.
type job struct {
	ctx  context.Context
	how  durability
	fn   func(*Tx) error
	done chan error  // buffered
	then func(error) // of a write that nobody waits for; nil otherwise

	number uint64   // of its record in the log; 0 if the write did not go ahead
	about  []string // the names it concerns
}

// end reports the outcome of the write.
func (j *job) end(err error) {
	j.done <- err
	if j.then != nil {
		j.then(err)
	}
}

// durability is what a write waits for.
type durability int

const (
	synced    durability = iota // the disk
	unsynced                    // the file
	lingering                   // the file, with another write if one comes soon
)

func newWriter(ctx context.Context, db *DB, a *ahead) (*writer, error) {
	conn, err := db.writing(ctx)
	if err != nil {
		return nil, Wrap("open the writing connection", err)
	}
	w := &writer{
		db: db, conn: conn, places: make(chan struct{}, batchSize), turn: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}), alone: time.NewTimer(linger), ahead: a,
	}
	a.w = w
	w.alone.Stop()
	if db.dialect == "postgres" {
		w.bound = writeTime
	}
	go w.loop()
	return w, nil
}

// writing takes a connection out of the pool for the writer.
func (db *DB) writing(ctx context.Context) (*sql.Conn, error) {
	conn, err := db.sql.Conn(ctx)
	if err != nil || db.dialect != "sqlite3" {
		return conn, err
	}
	for _, pragma := range []string{writerCache, writerUndo} {
		if _, err := conn.ExecContext(ctx, pragma); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func newJob(ctx context.Context, fn func(*Tx) error, how durability) *job {
	return &job{ctx: ctx, how: how, fn: fn, done: make(chan error, 1)}
}

// wait returns when a job's transaction is committed.
func (w *writer) wait(j *job) error {
	lead, err := w.put(j)
	if err != nil {
		return err
	}
	if lead {
		w.commit(w.take())
		w.pass()
	}
	return w.outcome(j)
}

// hand gives a job to the goroutine and does not wait for it.
func (w *writer) hand(j *job) error {
	lead, err := w.put(j)
	if lead {
		w.turn <- struct{}{}
	}
	return err
}

// outcome waits for a job that was handed over.
func (w *writer) outcome(j *job) error {
	select {
	case err := <-j.done:
		return err
	case <-w.done:
	}
	select {
	case err := <-j.done:
		return err
	default:
		return ErrClosed // the writer was closed before its turn
	}
}

// put queues a job. lead means that nobody is committing: the caller must commit, or tell the
// goroutine to.
func (w *writer) put(j *job) (lead bool, err error) {
	select {
	case w.places <- struct{}{}:
	case <-j.ctx.Done():
		return false, j.ctx.Err()
	case <-w.quit:
		return false, ErrClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false, ErrClosed
	}
	w.queue = append(w.queue, j)
	if j.how == lingering && len(w.queue) < batchSize {
		if len(w.queue) == 1 {
			w.alone.Reset(linger)
		}
		return false, nil
	}
	lead = !w.busy
	w.busy = true
	return lead, nil
}

// take empties the queue.
func (w *writer) take() []*job {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.queue
	w.queue = nil
	for _, j := range batch {
		if j.number == 0 {
			<-w.places
		}
	}
	return batch
}

// pass leaves the writes that have arrived meanwhile to the goroutine, which may be the caller
// itself.
func (w *writer) pass() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed || len(w.queue) >= batchSize && w.ahead.flowing() || slices.ContainsFunc(w.queue, func(j *job) bool { return j.how != lingering }):
		w.turn <- struct{}{}
		return
	case len(w.queue) > 0 && w.ahead.flowing():
		w.alone.Reset(linger)
	case len(w.queue) > 0:
		w.alone.Reset(stuckFor)
	}
	w.busy = false
}

// lead reports whether nobody is committing, so that the caller must.
func (w *writer) lead() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	lead := !w.busy
	w.busy = true
	return lead
}

// close commits the waiting writes and refuses later ones.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.quit)
	}
	w.mu.Unlock()
	<-w.done
}

func (w *writer) loop() {
	defer close(w.done)
	for open := true; open; {
		select {
		case <-w.turn:
		case <-w.alone.C:
			if !w.lead() {
				continue // the committing goroutine calls pass for the waiting writes
			}
		case <-w.quit:
			if open = false; !w.lead() {
				<-w.turn
			}
		}
		w.commit(w.take())
		if open {
			w.pass()
		}
	}
	_ = w.conn.Close() // gives the connection back to the pool
}

func (w *writer) commit(batch []*job) {
	live := batch[:0]
	for _, j := range batch {
		if err := j.ctx.Err(); err != nil {
			j.end(err)
			continue
		}
		live = append(live, j)
	}
	if len(live) == 0 {
		return
	}
	err := w.transact(live)
	for again := 1; crossed(err) && again <= crossings; again++ {
		time.Sleep(crossingPause/2 + rand.N(time.Duration(again)*crossingPause))
		err = w.transact(live)
	}
	if err == nil || len(live) == 1 || infrastructure(err) {
		w.end(live, err)
		return
	}
	for i, j := range live {
		err := w.transact([]*job{j})
		if w.end([]*job{j}, err) {
			w.end(live[i+1:], err)
			return
		}
	}
}

// end reports the outcome of writes. Rows of writes that went ahead return to the front of the
// queue (again), unless they were refused.
func (w *writer) end(jobs []*job, err error) (again bool) {
	var left []*job
	for _, j := range jobs {
		if j.number > 0 && err != nil && !refused(err) {
			left = append(left, j)
			continue
		}
		if j.number > 0 {
			w.ahead.followed(j)
		}
		j.end(err)
	}
	if len(left) == 0 {
		return false
	}
	w.ahead.stuck.Store(&err)
	w.mu.Lock()
	w.queue = append(left, w.queue...)
	w.mu.Unlock()
	return true
}

// transact runs jobs in one transaction: all of them or none.
func (w *writer) transact(jobs []*job) error {
	ctx := writing
	if w.bound > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.bound)
		defer cancel()
	}
	toDisk := slices.ContainsFunc(jobs, func(j *job) bool { return j.how == synced })
	if !toDisk {
		ctx = Unsynced(ctx)
	}
	covers := w.commits.Load()
	t, err := w.begin(ctx)
	if err != nil {
		return err
	}
	tx := &Tx{db: w.db, ctx: ctx, sql: t}
	tx.pipe, _ = t.(*pipeline)
	for _, j := range jobs {
		tx.follows = j.number > 0
		if err = safely(tx, j.fn); err != nil {
			break
		}
	}
	if err == nil {
		err = safely(tx, (*Tx).end)
	}
	number := uint64(0)
	for _, j := range jobs {
		number = max(number, j.number)
	}
	// A commit that must also take earlier commits to the disk has to change something, or SQLite
	// does not sync it.
	takes := toDisk && w.db.ahead != nil && (w.ahead.owes() || covers > w.onDisk.Load())
	if err == nil && (number > 0 || takes) {
		err = change(tx, setApplied, int64(max(number, w.ahead.applied.Load())))
	}
	w.used = time.Time{}
	if err != nil {
		_ = t.Rollback() // fails only when the database has already done so
		return err
	}
	if err = t.Commit(); err != nil {
		return err
	}
	w.used = time.Now()
	w.stats.writes.Add(uint64(len(jobs)))
	w.stats.commits.Add(1)
	if toDisk {
		w.stats.synced.Add(1)
		w.onDisk.Store(covers)
	}
	w.ahead.committed(number, toDisk)
	for _, fn := range tx.committed {
		fn()
	}
	return nil
}

// safely turns a panic of a caller's function into an error: the goroutine serves
// every instance.
func safely(t *Tx, fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v", p)
		}
	}()
	return fn(t)
}

// begin begins a transaction. It replaces a connection that has broken, e.g. when Postgres
// restarted.
func (w *writer) begin(ctx context.Context) (transaction, error) {
	t, err := w.db.transaction(ctx, w.conn, w.used)
	if err == nil || infrastructure(err) {
		return t, err
	}
	fresh, connErr := w.db.writing(ctx)
	if connErr != nil {
		return nil, err
	}
	_ = w.conn.Close() // it is broken
	w.conn = fresh
	return w.db.transaction(ctx, w.conn, time.Now())
}

// Stats say what the writer of a database has done since it was opened.
type Stats struct {
	Writes  uint64 // committed writes
	Commits uint64 // transactions, which several writes may share
	Synced  uint64 // transactions that waited for the disk
}

// Stats returns the statistics of this process's writer.
func (db *DB) Stats() Stats {
	s := &db.writer.stats
	return Stats{s.writes.Load(), s.commits.Load(), s.synced.Load()}
}
