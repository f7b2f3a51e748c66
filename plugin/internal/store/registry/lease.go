package registry

import (
	"context"
	"fmt"
	"math"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// ClaimLease makes epoch the instance's owner and returns the epoch that owned it before. An epoch
// that is at least the stored one is accepted; a lower one gets [ErrLeaseLost].
func (r *Registry) ClaimLease(ctx context.Context, name string, epoch uint64) (before uint64, err error) {
	if epoch > math.MaxInt64 {
		return 0, fmt.Errorf("claim the lease: epoch %d is not one: a lease counts up from 1", epoch)
	}
	err = r.db.Write(ctx, "claim the lease", func(t *sqldb.Tx) error {
		var stored int64
		// This changes nothing, but locks the row until the commit.
		err := t.Row(`UPDATE tapnode_instances SET epoch = epoch WHERE name = $1 RETURNING epoch`, []any{name}, &stored)
		switch before = uint64(stored); {
		case err != nil:
			return err
		case before > epoch:
			return ErrLeaseLost
		case before == epoch:
			return nil
		}
		if _, err := t.Exec(`UPDATE tapnode_instances SET epoch = $2 WHERE name = $1`, name, int64(epoch)); err != nil {
			return err
		}
		return r.signals.Tell(t, topic)
	})
	return before, err
}

// Shown is what the owner of an instance shows to the other processes on the database.
type Shown struct {
	Name  string
	Epoch uint64 // of the owner's lease
	What  string // defined by the pool
}

// Show stores what is shown of instances. An instance that has a newer owner or is deleted is
// skipped: it is not ours to show.
func (r *Registry) Show(ctx context.Context, list []Shown) error {
	return r.db.WriteUnsynced(ctx, "show the instances", func(t *sqldb.Tx) error {
		for _, s := range list {
			_, err := t.Exec(`UPDATE tapnode_instances SET shown = $2 WHERE name = $1 AND epoch = $3`, s.Name, s.What, int64(s.Epoch))
			if err != nil {
				return err
			}
		}
		return r.signals.Tell(t, topic)
	})
}

// Beat records that a process is alive.
func (r *Registry) Beat(ctx context.Context, process string) error {
	return r.db.WriteUnsynced(ctx, "say that the process lives", func(t *sqldb.Tx) error {
		_, err := t.Exec(`INSERT INTO tapnode_processes (id, beat) VALUES ($1, $2)
			ON CONFLICT (id) DO UPDATE SET beat = excluded.beat`, process, sqldb.Millis(r.now()))
		return err
	})
}

// Beats returns the last beats of the processes that were alive today. Their clocks may differ.
func (r *Registry) Beats(ctx context.Context) (map[string]int64, error) {
	beats := map[string]int64{}
	_, err := sqldb.All(sqldb.Apart(ctx), r.db, func(row sqldb.Scanner) (none struct{}, err error) {
		var process string
		var beat int64
		err = row.Scan(&process, &beat)
		beats[process] = beat
		return none, err
	}, `SELECT id, beat FROM tapnode_processes`)
	return beats, sqldb.Wrap("read which processes live", err)
}
