package sqldb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// sweepEvery is how often a Sweeper runs.
	sweepEvery = time.Minute
	// countEvery is how many sweeps there are for each count of the rows: SQLite reads a whole
	// index to count.
	countEvery = 15
	// SweepBatch is how many rows one transaction of a sweep removes, so that writers
	// never wait long behind it.
	SweepBatch = 500
	// sweepTime bounds one sweep; the rows that are left wait for the next.
	sweepTime = 20 * time.Second
)

// Sweep names a table, its key, the rows that have expired, and the order in which rows are
// removed.
type Sweep struct {
	Table, Key, Order string
	Over              string // condition for an expired row; $1 is Before as [Millis] writes it
	Before            time.Time
	Limit             int // 0: none
}

// Job is what a Sweeper does on each sweep. count is true when row limits are checked, too.
type Job func(ctx context.Context, count bool) error

// Sweeping makes a job of sweeps. list is called each time, because sweeps hold times.
func (db *DB) Sweeping(list func() []Sweep) Job {
	return func(ctx context.Context, count bool) error {
		var errs []error
		for _, s := range list() {
			errs = append(errs, db.sweep(ctx, s))
			if count {
				errs = append(errs, db.trim(ctx, s))
			}
		}
		return errors.Join(errs...)
	}
}

// sweep removes the expired rows.
func (db *DB) sweep(ctx context.Context, s Sweep) error {
	for n := int64(SweepBatch); n == SweepBatch; {
		var err error
		n, err = db.remove(ctx, s, `WHERE `+s.Over+` ORDER BY `+s.Order+` LIMIT $2`, Millis(s.Before), SweepBatch)
		if err != nil {
			return err
		}
	}
	return nil
}

// trim removes the oldest rows over the limit.
func (db *DB) trim(ctx context.Context, s Sweep) error {
	excess, err := db.Excess(ctx, s.Table, s.Limit)
	for err == nil && excess > 0 {
		var n int64
		n, err = db.remove(ctx, s, `ORDER BY `+s.Order+` LIMIT $1`, min(excess, SweepBatch))
		excess -= max(n, 1)
	}
	return err
}

func (db *DB) remove(ctx context.Context, s Sweep, rows string, args ...any) (n int64, err error) {
	query := fmt.Sprintf(`DELETE FROM %s WHERE (%s) IN (SELECT %s FROM %s %s)`, s.Table, s.Key, s.Key, s.Table, rows)
	err = db.WriteUnsynced(ctx, "remove old rows of "+s.Table, func(t *Tx) error {
		n, err = t.Exec(query, args...)
		return err
	})
	return n, err
}

// Excess returns how many rows a table holds beyond its limit (negative while there is room); 0
// without a limit.
func (db *DB) Excess(ctx context.Context, table string, limit int) (int64, error) {
	if limit <= 0 {
		return 0, nil
	}
	var count int64
	err := db.Row(ctx, `SELECT count(*) FROM `+table, nil, &count)
	return count - int64(limit), Wrap("count "+table, err)
}

// Sweeper keeps tables small: it runs its jobs every minute between Start and Stop.
type Sweeper struct {
	jobs []Job
	log  *slog.Logger

	mu   sync.Mutex
	stop context.CancelFunc
	done chan struct{}
}

// NewSweeper returns a Sweeper that has not started.
func NewSweeper(log *slog.Logger, jobs ...Job) *Sweeper { return &Sweeper{jobs: jobs, log: log} }

// Start begins to sweep in the background, until Stop. It is idempotent.
func (s *Sweeper) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.done = stop, make(chan struct{})
	go s.loop(ctx, s.done)
}

func (s *Sweeper) loop(ctx context.Context, done chan struct{}) {
	defer close(done)
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		if err := s.run(ctx, n%countEvery == 0); err != nil && ctx.Err() == nil {
			s.log.Warn("old rows could not be removed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// Stop ends what Start began and waits for it. It is idempotent.
func (s *Sweeper) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		return
	}
	s.stop()
	<-s.done
	s.stop = nil
}

// Sweep runs every job once, with counting, and returns their errors.
func (s *Sweeper) Sweep(ctx context.Context) error { return s.run(ctx, true) }

func (s *Sweeper) run(ctx context.Context, count bool) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	var errs []error
	for _, job := range s.jobs {
		errs = append(errs, job(ctx, count))
	}
	return errors.Join(errs...)
}
