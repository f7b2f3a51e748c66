package sqllog

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// breath is how long a watcher of all runs rests between two reads: one read for every append would
// cost more than the append.
const breath = 20 * time.Millisecond

// Watch implements engine.Log.
func (l *Log) Watch(ctx context.Context, run string, after uint64) iter.Seq2[engine.Step, error] {
	return func(yield func(engine.Step, error) bool) {
		woken, leave := l.watchers.Join(run) // before reading, so that a step that comes meanwhile ends the wait below
		defer leave()
		for ctx.Err() == nil {
			steps, more, gone, err := l.look(ctx, run, after)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				yield(engine.Step{}, err)
				return
			case gone > after:
				after = gone
				if !yield(engine.Step{}, engine.ErrLagged) {
					return
				}
				continue
			}
			for _, s := range steps {
				after = s.Sequence
				if !yield(s, nil) {
					return
				}
			}
			if !more && !l.await(ctx, run, woken) {
				return
			}
		}
	}
}

// look reads steps, and after them up to where steps were removed, so that a gap before them is
// noticed.
func (l *Log) look(ctx context.Context, run string, after uint64) (steps []engine.Step, more bool, gone uint64, err error) {
	if steps, more, err = l.read(ctx, run, after); err != nil {
		return nil, false, 0, err
	}
	err = l.db.Row(ctx, `SELECT gone FROM engine_totals WHERE id = 1`, nil, &gone)
	return steps, more, gone, sqldb.Wrap("read steps", err)
}

// await returns true when there may be something new, and false when ctx or the Log has ended.
func (l *Log) await(ctx context.Context, run string, woken <-chan struct{}) bool {
	if run == "" {
		rest := time.NewTimer(breath)
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-ctx.Done():
			return false
		case <-l.done:
			return false
		}
	}
	var ticks <-chan time.Time
	if l.owned == nil {
		ticker := time.NewTicker(poll)
		defer ticker.Stop()
		ticks = ticker.C
	}
	for {
		select {
		case <-woken:
			return true
		case <-ticks:
			if l.scout.look(ctx, l) != nil {
				return true // reading returns the error
			}
		case <-ctx.Done():
			return false
		case <-l.done:
			return false
		}
	}
}

const (
	// poll is how long a change by another host in the same Postgres may go unnoticed.
	poll = 250 * time.Millisecond
	// scouted is how many appends of other hosts are read at once; when there are as many, every
	// watcher is woken.
	scouted = 1000
)

// scout finds the runs that other hosts have changed. It asks once per poll for all watchers.
type scout struct {
	mu    sync.Mutex
	asked time.Time
	seq   uint64 // up to which it has woken
}

func (s *scout) look(ctx context.Context, l *Log) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < poll/2 { // somebody else has just asked
		return nil
	}
	type change struct {
		seq uint64
		run string
	}
	changes, err := sqldb.All(ctx, l.db, func(row sqldb.Scanner) (c change, err error) {
		err = row.Scan(&c.seq, &c.run)
		return c, err
	}, `SELECT seq, run FROM engine_steps WHERE seq > $1 ORDER BY seq DESC LIMIT $2`, int64(s.seq), scouted)
	if err != nil {
		return err
	}
	s.asked = time.Now()
	if len(changes) == scouted {
		l.watchers.WakeAll()
	} else {
		for _, c := range changes {
			l.watchers.Wake(c.run)
		}
	}
	if len(changes) > 0 {
		s.seq = changes[0].seq
	}
	return nil
}

// sleepAtMost waits until more is closed. On Postgres it waits a moment at most, because changes by
// other hosts do not close it. It returns false when ctx or the Log has ended.
func (l *Log) sleepAtMost(ctx context.Context, more <-chan struct{}, moment time.Duration) bool {
	var others <-chan time.Time
	if l.owned == nil {
		timer := time.NewTimer(moment)
		defer timer.Stop()
		others = timer.C
	}
	select {
	case <-more:
	case <-others:
	case <-ctx.Done():
		return false
	case <-l.done:
		return false
	}
	return true
}

// news wakes all goroutines that wait for it.
type news struct {
	mu   sync.Mutex
	more chan struct{} // nil: nobody waits
}

func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more == nil {
		n.more = make(chan struct{})
	}
	return n.more
}

func (n *news) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more != nil {
		close(n.more)
		n.more = nil
	}
}
