package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// runTypes are the types of the events of runs. There are several events for each run, so they are
// stored only while a webhook or a reader wants them.
var runTypes = []string{engine.EventRunStarted, engine.EventRunWaiting, engine.EventRunEnded}

// Runs reports whether events of runs pass the filter. They belong to no instance.
func (f Filter) Runs() bool {
	return len(f.Instances) == 0 && (len(f.Types) == 0 || slices.ContainsFunc(f.Types, func(name string) bool { return slices.Contains(runTypes, name) }))
}

const (
	// readersName is the lease that makes hosts store events of runs for readers.
	readersName = "readers of runs"
	// renewRead is the age at which that lease is renewed.
	renewRead = time.Hour
)

// KeepRuns makes the hosts store events of runs from now on, until [keepEvents] after its last call:
// a reader that reconnects finds the events that it missed. Readers call it when they connect and
// while they stay connected.
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
		return changed(t) // so that other hosts read the lease
	})
	if err != nil {
		return stored(err)
	}
	s.readers.Store(until)
	s.runs.Store(true)
	s.announce()
	return nil
}

// runsKept is the time until which events of runs are stored for readers.
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
