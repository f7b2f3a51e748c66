package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// clock is the time of the database, in milliseconds, since the clocks of the hosts may differ.
const clock = `CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)`

// Host is one of the hosts that share the database.
type Host struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"` // of the machine
	Address string    `json:"address"`
	Version string    `json:"version"`
	Nodes   []string  `json:"nodes"` // that are ready there
	Leaving bool      `json:"leaving"`
	Started time.Time `json:"startedAt"`
	// Lives says whether it renewed its lease in time.
	Lives bool `json:"lives"`

	steady []string // nodes that have known all their subjects for a while
	unfit  int      // versions of flows that it cannot run
	// Owns are the subjects that it acts for, by name.
	Owns []string `json:"instances"`
}

// fit says whether the host can act for subjects of a node.
func (h Host) fit(node string) bool { return h.Lives && !h.Leaving && slices.Contains(h.Nodes, node) }

// lease says which host acts for a subject of a node; the subject "" stands for reading the node's events.
type lease struct {
	node, subject string
	host          string
	epoch         uint64
	age           time.Duration // since it changed hands
}

// key identifies a lease.
type key struct{ node, subject string }

func (l lease) key() key { return key{l.node, l.subject} }

// table gives access to the tables through which the hosts coordinate.
type table struct{ db *sqldb.DB }

// forgotten is how long a host that is gone is still shown.
const forgotten = 24 * time.Hour

// join announces a process as the host with its id, in place of any earlier process.
func (t table) join(ctx context.Context, me Host, session string) error {
	_, err := t.db.SQL().ExecContext(ctx, `INSERT INTO engine_hosts (id, session, name, address, version, nodes, steady, leaving, started, until)
		VALUES ($1, $2, $3, $4, $5, '[]', '[]', 0, `+clock+`, `+clock+` + $6)
		ON CONFLICT (id) DO UPDATE SET session = excluded.session, name = excluded.name, address = excluded.address, version = excluded.version,
			nodes = excluded.nodes, steady = excluded.steady, leaving = 0, started = excluded.started, until = excluded.until`,
		me.ID, session, me.Name, me.Address, me.Version, leaseTime.Milliseconds())
	if err == nil {
		_, err = t.db.SQL().ExecContext(ctx, `DELETE FROM engine_hosts WHERE until < `+clock+` - $1`, forgotten.Milliseconds())
	}
	return err
}

// beat renews the lease of this process for leaseTime from now, and announces which nodes work here. It
// returns false if another process uses its id. It does not wait for the disk, since the next beat
// replaces one that is lost in a crash of the server.
func (t table) beat(ctx context.Context, me Host, session string) (bool, error) {
	nodes, err := json.Marshal(me.Nodes)
	if err != nil {
		return false, err
	}
	steady, err := json.Marshal(me.steady)
	if err != nil {
		return false, err
	}
	leaving := 0
	if me.Leaving {
		leaving = 1
	}
	res, err := t.db.SQL().ExecContext(ctx, `UPDATE engine_hosts SET nodes = $3, steady = $4, leaving = $5, until = `+clock+` + $6, unfit = $7
		WHERE id = $1 AND session = $2 AND (SELECT set_config('synchronous_commit', 'off', true)) = 'off'`,
		me.ID, session, string(nodes), string(steady), leaving, leaseTime.Milliseconds(), me.unfit)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// leave ends the lease of this process, so that others may take what it owned at once.
func (t table) leave(ctx context.Context, id, session string) error {
	_, err := t.db.SQL().ExecContext(ctx, `UPDATE engine_hosts SET until = 0, leaving = 1 WHERE id = $1 AND session = $2`, id, session)
	return err
}

// hosts reads all hosts that are still shown, by name.
func (t table) hosts(ctx context.Context) ([]Host, error) {
	return sqldb.All(ctx, t.db, func(row sqldb.Scanner) (h Host, err error) {
		var nodes, steady, owns string
		var leaving, started int64
		if err := row.Scan(&h.ID, &h.Name, &h.Address, &h.Version, &nodes, &steady, &leaving, &started, &h.unfit, &h.Lives, &owns); err != nil {
			return h, err
		}
		h.Leaving, h.Started = leaving != 0, sqldb.Time(started)
		return h, errors.Join(json.Unmarshal([]byte(nodes), &h.Nodes), json.Unmarshal([]byte(steady), &h.steady), json.Unmarshal([]byte(owns), &h.Owns))
	}, `SELECT id, name, address, version, nodes, steady, leaving, started, unfit, until >= `+clock+`,
			(SELECT coalesce(json_agg(subject ORDER BY subject), '[]')::text FROM engine_owners WHERE host = id AND subject <> '')
		FROM engine_hosts ORDER BY name, id`)
}

// silence reads how long ago each host renewed its lease, and which of its nodes are steady.
func (t table) silence(ctx context.Context) (map[string]heard, error) {
	all, err := sqldb.All(ctx, t.db, func(row sqldb.Scanner) (h heard, err error) {
		var ms int64
		var steady string
		if err := row.Scan(&h.host, &ms, &steady); err != nil {
			return h, err
		}
		h.silent = time.Duration(ms) * time.Millisecond
		return h, json.Unmarshal([]byte(steady), &h.steady)
	}, `SELECT id, `+clock+` - until + $1, steady FROM engine_hosts`, leaseTime.Milliseconds())
	out := make(map[string]heard, len(all))
	for _, h := range all {
		out[h.host] = h
	}
	return out, err
}

// heard is the last news of a host, as silence reads it.
type heard struct {
	host   string
	silent time.Duration
	steady []string
}

func (t table) leases(ctx context.Context) ([]lease, error) {
	return sqldb.All(ctx, t.db, scanLease, `SELECT node, subject, host, epoch, `+clock+` - since FROM engine_owners ORDER BY node, subject`)
}

func (t table) lease(ctx context.Context, k key) (lease, error) {
	return sqldb.One(ctx, t.db, scanLease, `SELECT node, subject, host, epoch, `+clock+` - since FROM engine_owners WHERE node = $1 AND subject = $2`, k.node, k.subject)
}

func scanLease(row sqldb.Scanner) (l lease, err error) {
	var epoch, age int64
	err = row.Scan(&l.node, &l.subject, &l.host, &epoch, &age)
	l.epoch, l.age = uint64(epoch), time.Duration(age)*time.Millisecond //nolint:gosec // epochs are positive
	return l, err
}

// next is the epoch of a new owner. It follows the clock, so that it also rises after an older copy of the
// database has been restored.
const next = `GREATEST(engine_owners.epoch + 1, ` + clock + `)`

// add gives a subject that no host owns to a host.
func (t table) add(ctx context.Context, k key, host string) error {
	_, err := t.db.SQL().ExecContext(ctx, `INSERT INTO engine_owners (node, subject, host, epoch, since) VALUES ($1, $2, $3, `+clock+`, `+clock+`)
		ON CONFLICT (node, subject) DO NOTHING`, k.node, k.subject, host)
	return err
}

// take gives a subject to a live host, unless the subject has changed hands meanwhile.
func (t table) take(ctx context.Context, l lease, host string) error {
	_, err := t.db.SQL().ExecContext(ctx, `UPDATE engine_owners SET host = $4, epoch = `+next+`, since = `+clock+`
		WHERE node = $1 AND subject = $2 AND epoch = $3 AND EXISTS (SELECT 1 FROM engine_hosts WHERE id = $4 AND until >= `+clock+`)`,
		l.node, l.subject, int64(l.epoch), host) //nolint:gosec // epochs are the database's own
	return err
}

// ErrUnknown means that a host is not known or cannot act.
var ErrUnknown = errors.New("unknown host")

// move gives a subject to a host.
func (t table) move(ctx context.Context, k key, host string) error {
	_, err := t.db.SQL().ExecContext(ctx, `UPDATE engine_owners SET host = $3, epoch = `+next+`, since = `+clock+`
		WHERE node = $1 AND subject = $2 AND host <> $3`, k.node, k.subject, host)
	return err
}

// drop deletes a subject that no longer exists, unless another host has taken it meanwhile.
func (t table) drop(ctx context.Context, l lease) error {
	_, err := t.db.SQL().ExecContext(ctx, `DELETE FROM engine_owners WHERE node = $1 AND subject = $2 AND epoch = $3`,
		l.node, l.subject, int64(l.epoch)) //nolint:gosec // epochs are the database's own
	return err
}
