package sqllog

import (
	"errors"
	"log/slog"

	"github.com/tapnode/tapnode/internal/sqldb"
)

func (l *Log) newMonitor(log *slog.Logger) *sqldb.Monitor {
	m := l.db.Monitor(func(err error) {
		if err == nil {
			log.Warn("the database of the runs works again")
			return
		}
		log.Error("the database of the runs cannot be written; runs rest until it can", "reason", sqldb.Reason(err), "err", err)
	})
	if l.db.Dialect() == "postgres" {
		m.First = lockWriters // as every writer does: two hosts must not wait for each other
	}
	return m
}

// Storage says why the database cannot be written now, in words that name nobody; nil: it
// can, as far as is known since Start.
func (l *Log) Storage() error {
	if err := l.monitor.Err(); err != nil {
		return errors.New(sqldb.Reason(err))
	}
	return nil
}

// seen has the monitor look at once when a write has failed for want of a database.
func (l *Log) seen(err error) error {
	if err != nil && sqldb.Failed(err) && !errors.Is(err, sqldb.ErrClosed) {
		l.monitor.Suspect()
	}
	return err
}
