package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// sweepEvery is how often the janitor looks.
	sweepEvery = time.Minute
	// countEvery is how many sweeps lie between two counts of the rows: SQLite reads a
	// whole index to count.
	countEvery = 15
	// sweepBatch is how many rows one of its transactions removes, so that senders
	// never wait long behind it.
	sweepBatch = 500
	// sweepTime bounds one sweep; what is left waits for the next.
	sweepTime = 20 * time.Second
)

// janitor runs Sweep in the background between Start and Stop.
type janitor struct {
	ledgerFull atomic.Bool

	mu   sync.Mutex
	stop context.CancelFunc
	done chan struct{}
}

// Start begins to sweep in the background, until Stop. It is idempotent.
func (s *Store) Start() {
	j := &s.janitor
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	j.stop, j.done = stop, make(chan struct{})
	go func(done chan struct{}) {
		defer close(done)
		ticker := time.NewTicker(sweepEvery)
		defer ticker.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			if err := s.sweepAll(ctx, n%countEvery == 0); err != nil && ctx.Err() == nil {
				s.log.Warn("the janitor could not remove old rows", "error", err)
			}
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	}(j.done)
}

// Stop ends what Start began and waits for it. It is idempotent.
func (s *Store) Stop() {
	j := &s.janitor
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stop == nil {
		return
	}
	j.stop()
	<-j.done
	j.stop = nil
}

// sweeping names a table, its key, the rows whose time is over, and the order in
// which rows go when the table is over its limit.
type sweeping struct {
	table, key, order string
	over              string // condition on one argument, a time
	before            time.Time
	limit             int // 0: none
}

func (s *Store) sweepings() []sweeping {
	now, keep, limits := s.now(), s.opt.Retention, s.opt.Limits
	return []sweeping{
		{"ledger", "operation, idem_key", "expires_at", "expires_at < $1", now, 0},
		{"menus", "instance, message_id", "created_at", "created_at < $1 AND expires_at < $1", now.Add(-keep.Menus), limits.Menus},
		{"seen", "id", "seen_at", "seen_at < $1", now.Add(-keep.Seen), limits.Seen},
		{"messages", "instance, message_id", "stored_at", "stored_at < $1", now.Add(-keep.Messages), limits.Messages},
		{"contacts", "instance, jid", "wrote_at", "wrote_at < $1", now.Add(-keep.Contacts), limits.Contacts},
		{"pauses", "instance, reason", "until", "until < $1", now, 0},
		{"recipients", "query", "expires_at", "expires_at < $1", now, limits.Recipients},
		{"uploads", "instance, kind, sha256", "expires_at", "expires_at < $1", now, limits.Uploads},
		{"subscribers", "name", "seen_at", "seen_at < $1", now.Add(-keep.Subscribers), 0},
	}
}

// Sweep removes what is past its retention, what every subscriber has
// acknowledged and what is over a limit. The janitor calls it; tests may.
func (s *Store) Sweep(ctx context.Context) error { return s.sweepAll(ctx, true) }

func (s *Store) sweepAll(ctx context.Context, count bool) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	errs := []error{s.sweepEvents(ctx, count)}
	for _, sw := range s.sweepings() {
		errs = append(errs, s.sweep(ctx, sw))
		if count {
			errs = append(errs, s.trim(ctx, sw))
		}
	}
	if count {
		errs = append(errs, s.checkLedger(ctx))
	}
	return errors.Join(errs...)
}

// sweep removes the rows whose time is over.
func (s *Store) sweep(ctx context.Context, sw sweeping) error {
	for n := int64(sweepBatch); n == sweepBatch; {
		var err error
		n, err = s.remove(ctx, sw, `WHERE `+sw.over+` ORDER BY `+sw.order+` LIMIT $2`, millis(sw.before), sweepBatch)
		if err != nil {
			return err
		}
	}
	return nil
}

// trim removes the oldest rows over the limit.
func (s *Store) trim(ctx context.Context, sw sweeping) error {
	excess, err := s.excess(ctx, sw.table, sw.limit)
	for err == nil && excess > 0 {
		var n int64
		n, err = s.remove(ctx, sw, `ORDER BY `+sw.order+` LIMIT $1`, min(excess, sweepBatch))
		excess -= max(n, 1)
	}
	return err
}

func (s *Store) remove(ctx context.Context, sw sweeping, rows string, args ...any) (n int64, err error) {
	query := fmt.Sprintf(`DELETE FROM tapnode_%s WHERE (%s) IN (SELECT %s FROM tapnode_%s %s)`, sw.table, sw.key, sw.key, sw.table, rows)
	err = s.writeUnsynced(ctx, "remove old rows of "+sw.table, func(t *tx) error {
		n, err = t.exec(query, args...)
		return err
	})
	return n, err
}

// excess is how many rows a table holds over its limit.
func (s *Store) excess(ctx context.Context, table string, limit int) (int64, error) {
	if limit <= 0 {
		return 0, nil
	}
	var count int64
	err := s.row(ctx, `SELECT count(*) FROM tapnode_`+table, nil, &count)
	return count - int64(limit), wrap("count "+table, err)
}

// checkLedger lets Begin refuse new keys while the ledger is full: removing a row
// before its time would let a repeated key send twice.
func (s *Store) checkLedger(ctx context.Context) error {
	excess, err := s.excess(ctx, "ledger", s.opt.Limits.Ledger)
	if err == nil {
		s.janitor.ledgerFull.Store(excess >= 0)
	}
	return err
}
