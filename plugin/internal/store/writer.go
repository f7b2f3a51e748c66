package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// batchSize bounds how many waiting writes share a transaction.
	batchSize = 256
	// patience is how long a write that nobody waits for waits for one to go with.
	patience = 20 * time.Millisecond
	// writeTime bounds a transaction on Postgres; SQLite's are bounded by its disk.
	writeTime = 30 * time.Second
)

// writer commits the writes of all instances. One goroutine takes what has
// gathered while the last commit was being synced and commits it together; a
// lone write waits for nobody. Patient writes go with the next one, or alone after
// a moment.
//
// The statements of a batch that fails are undone together and its writes run
// again one by one, so that each has its own answer.
type writer struct {
	conn  *sql.Conn
	bound time.Duration

	// commits counts the unsynced commits of decryptions, and onDisk how many of them
	// a synced commit has taken to the disk with it.
	commits, onDisk atomic.Uint64

	jobs chan *job
	quit chan struct{}
	done chan struct{}
	once sync.Once
}

// job is one caller's write.
type job struct {
	ctx     context.Context
	sync    bool // on disk before done
	patient bool
	fn      func(*tx) error
	done    chan error // buffered
}

func newWriter(ctx context.Context, db *sql.DB, dialect string) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, wrap("open the writing connection", err)
	}
	w := &writer{
		conn: conn, jobs: make(chan *job, batchSize), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if dialect == "postgres" {
		w.bound = writeTime
	}
	go w.loop(db)
	return w, nil
}

// do runs fn in a transaction and returns when that is committed. A context that
// ends before the transaction begins leaves nothing; later it is not heeded,
// since the caller must know whether the write is there.
func (w *writer) do(ctx context.Context, sync bool, fn func(*tx) error) error {
	return w.wait(&job{ctx: ctx, sync: sync, fn: fn, done: make(chan error, 1)})
}

// soon is do, unsynced, for a write that may wait for another to share its commit.
func (w *writer) soon(ctx context.Context, fn func(*tx) error) error {
	return w.wait(&job{ctx: ctx, patient: true, fn: fn, done: make(chan error, 1)})
}

func (w *writer) wait(j *job) error {
	if err := w.put(j); err != nil {
		return err
	}
	select {
	case err := <-j.done:
		return err
	case <-w.done:
	}
	select {
	case err := <-j.done:
		return err
	default:
		return ErrClosed // it came too late
	}
}

// put hands a job over and does not wait for it.
func (w *writer) put(j *job) error {
	select {
	case w.jobs <- j:
		return nil
	case <-j.ctx.Done():
		return j.ctx.Err()
	case <-w.quit:
		return ErrClosed
	}
}

// close lets the current batch end and refuses what comes later.
func (w *writer) close() {
	w.once.Do(func() { close(w.quit) })
	<-w.done
}

func (w *writer) loop(db *sql.DB) {
	defer close(w.done)
	batch := make([]*job, 0, batchSize)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for open := true; open; {
		var alone <-chan time.Time
		if len(batch) > 0 {
			alone = timer.C
		}
		select {
		case j := <-w.jobs:
			if len(batch) == 0 {
				timer.Reset(patience)
			}
			if batch = append(batch, j); j.patient && len(batch) < batchSize {
				continue
			}
		case <-alone:
		case <-w.quit:
			open = false
		}
		w.commit(db, w.gather(batch))
		batch = batch[:0]
	}
	_ = w.conn.Close() // gives the connection back to the pool
}

// gather adds the writes that are already waiting.
func (w *writer) gather(batch []*job) []*job {
	for len(batch) < batchSize {
		select {
		case j := <-w.jobs:
			batch = append(batch, j)
		default:
			return batch
		}
	}
	return batch
}

func (w *writer) commit(db *sql.DB, batch []*job) {
	live := batch[:0]
	for _, j := range batch {
		if err := j.ctx.Err(); err != nil {
			j.done <- err
			continue
		}
		live = append(live, j)
	}
	if len(live) == 0 {
		return
	}
	err := w.transact(db, live)
	if err == nil || len(live) == 1 || infrastructure(err) {
		for _, j := range live {
			j.done <- err
		}
		return
	}
	for _, j := range live {
		j.done <- w.transact(db, []*job{j})
	}
}

// transact runs jobs in one transaction: all of them or none.
func (w *writer) transact(db *sql.DB, jobs []*job) error {
	ctx := context.Background()
	if w.bound > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.bound)
		defer cancel()
	}
	synced := slices.ContainsFunc(jobs, func(j *job) bool { return j.sync })
	if !synced {
		ctx = unsynced(ctx)
	}
	covers := w.commits.Load()
	t, err := w.begin(ctx, db)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if err := j.run(&tx{ctx, t}); err != nil {
			_ = t.Rollback() // fails only when the database has already done so
			return err
		}
	}
	err = t.Commit()
	if err == nil && synced {
		w.onDisk.Store(covers)
	}
	return err
}

// run turns a panic of a caller's function into an error: the goroutine serves
// every instance.
func (j *job) run(t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v", p)
		}
	}()
	return j.fn(t)
}

// begin replaces a connection that has broken, e.g. when Postgres restarted.
func (w *writer) begin(ctx context.Context, db *sql.DB) (*sql.Tx, error) {
	t, err := w.conn.BeginTx(ctx, nil)
	if err == nil || infrastructure(err) {
		return t, err
	}
	fresh, connErr := db.Conn(ctx)
	if connErr != nil {
		return nil, err
	}
	_ = w.conn.Close() // it is broken
	w.conn = fresh
	return w.conn.BeginTx(ctx, nil)
}

// tx is the transaction a write runs in.
type tx struct {
	ctx context.Context
	sql *sql.Tx
}

// exec runs a statement and reports how many rows it touched.
func (t *tx) exec(query string, args ...any) (int64, error) {
	res, err := t.sql.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// row reads one row; none is sql.ErrNoRows.
func (t *tx) row(query string, args ...any) *sql.Row {
	return t.sql.QueryRowContext(t.ctx, query, args...)
}
