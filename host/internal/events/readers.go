package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// runTypes are the events of runs, which are only kept while somebody wants them: there are several
// for each run.
var runTypes = []string{engine.EventRunStarted, engine.EventRunWaiting, engine.EventRunEnded}

// Runs says whether events of runs pass. They are of no instance.
func (f Filter) Runs() bool {
	return len(f.Instances) == 0 && (len(f.Types) == 0 || slices.ContainsFunc(f.Types, func(name string) bool { return slices.Contains(runTypes, name) }))
}

const (
	// readersName is the lease that readers of events of runs have.
	readersName = "readers of runs"
	// renewRead is how old that lease may be before it is renewed.
	renewRead = time.Hour
)

// KeepRuns has events of runs kept from now on, and for as long after its last call as the outbox
// keeps any: a reader that comes back finds those of the time in between. Readers call it when they
// come and while they stay.
func (s *Service) KeepRuns(ctx context.Context) error {
	now := s.opt.Now()
	until := sqldb.Millis(now.Add(keepEvents))
	if s.readers.Load() > until-renewRead.Milliseconds() {
		return nil
	}
	err := s.opt.DB.Write(ctx, "keep events of runs", func(t *sqldb.Tx) error {
		was, err := runsKept(t.Context(), t)
		if err == nil {
			_, err = t.Exec(`INSERT INTO engine_leases (name, owner, until) VALUES ($1, '', $2) ON CONFLICT (name) DO UPDATE SET until = excluded.until`, readersName, until)
		}
		if err != nil || was.After(now) {
			return err
		}
		return changed(t) // other hosts look at it then
	})
	if err != nil {
		return stored(err)
	}
	s.readers.Store(until)
	s.runs.Store(true)
	s.announce()
	return nil
}

// runsKept is until when events of runs are kept for readers.
func runsKept(ctx context.Context, q sqldb.Querier) (time.Time, error) {
	until, err := sqldb.One(ctx, q, func(row sqldb.Scanner) (until int64, err error) {
		err = row.Scan(&until)
		return until, err
	}, `SELECT until FROM engine_leases WHERE name = $1`, readersName)
	if errors.Is(err, sqldb.ErrNotFound) {
		return time.Time{}, nil
	}
	return sqldb.Time(until), err
}
