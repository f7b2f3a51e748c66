package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Wanted is the state that the operator wants for an instance.
type Wanted string

// An instance is created Disconnected.
const (
	Connected    Wanted = "connected"
	Disconnected Wanted = "disconnected"
)

// Instance is one WhatsApp account this process looks after.
type Instance struct {
	Name   string
	JID    string // of the paired device, with its device number; "" when not paired
	LID    string // of the account; "" when unknown
	Wanted Wanted
	// Account is the account whose menus, messages and contacts are stored under the name; it stays
	// when the device is removed. Zero: none yet.
	Account Account

	State   string // defined by the pool, as last stored
	Reason  string
	StateAt time.Time
	Shown   string // what the owner shows to other processes, see Show; "" before the first time

	Epoch     uint64 // of the lease that last claimed it; 0: none
	CreatedAt time.Time
}

// Account is a WhatsApp account by its addresses, without a device.
type Account struct {
	JID string
	LID string // "" when unknown
}

// same reports whether both are one account. A changed number keeps its LID.
func (a Account) same(b Account) bool { return a.JID == b.JID || a.LID != "" && a.LID == b.LID }

const instanceColumns = `name, jid, lid, wanted, account, account_lid, state, reason, state_at, shown, epoch, created_at`

func scanInstance(row sqldb.Scanner) (Instance, error) {
	var i Instance
	var stateAt, epoch, createdAt int64
	err := row.Scan(&i.Name, &i.JID, &i.LID, &i.Wanted, &i.Account.JID, &i.Account.LID, &i.State, &i.Reason, &stateAt, &i.Shown, &epoch, &createdAt)
	i.StateAt, i.Epoch, i.CreatedAt = sqldb.Time(stateAt), uint64(epoch), sqldb.Time(createdAt)
	return i, err
}

// ValidInstanceName explains what is wrong with a name: it has 1 to 100
// characters, none of them a control character or a slash.
func ValidInstanceName(name string) error {
	switch {
	case name == "":
		return errors.New("the instance name is empty")
	case !utf8.ValidString(name):
		return errors.New("the instance name is not UTF-8")
	case utf8.RuneCountInString(name) > 100:
		return errors.New("the instance name is longer than 100 characters")
	case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || unicode.IsControl(r) }):
		return errors.New("the instance name holds a slash or a control character")
	}
	return nil
}

// Create adds an instance. Errors: sqldb.ErrExists, sqldb.ErrLimit, or that of ValidInstanceName.
func (r *Registry) Create(ctx context.Context, name string) (Instance, error) {
	if err := ValidInstanceName(name); err != nil {
		return Instance{}, err
	}
	i := Instance{Name: name, Wanted: Disconnected, CreatedAt: sqldb.Time(sqldb.Millis(r.now()))}
	err := r.db.Write(ctx, "create the instance", func(t *sqldb.Tx) error {
		var count int
		if err := t.Row(`SELECT count(*) FROM tapnode_instances`, nil, &count); err != nil {
			return err
		}
		if count >= r.limit {
			return fmt.Errorf("%w: %d instances", sqldb.ErrLimit, count)
		}
		n, err := t.Exec(`INSERT INTO tapnode_instances (name, wanted, created_at)
			VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`, name, i.Wanted, sqldb.Millis(i.CreatedAt))
		if err == nil && n == 0 {
			err = sqldb.ErrExists
		}
		if err != nil {
			return err
		}
		return r.signals.Tell(t, topic)
	})
	if err != nil {
		return Instance{}, err
	}
	return i, nil
}

// Instance reads one. Error: sqldb.ErrNotFound.
func (r *Registry) Instance(ctx context.Context, name string) (Instance, error) {
	i, err := sqldb.One(sqldb.Apart(ctx), r.db, scanInstance, `SELECT `+instanceColumns+` FROM tapnode_instances WHERE name = $1`, name)
	return i, sqldb.Wrap("read the instance", err)
}

// Instances reads all, by name.
func (r *Registry) Instances(ctx context.Context) ([]Instance, error) {
	all, err := sqldb.All(sqldb.Apart(ctx), r.db, scanInstance, `SELECT `+instanceColumns+` FROM tapnode_instances ORDER BY name`)
	return all, sqldb.Wrap("read the instances", err)
}

// SetDevice stores the paired device; empty strings remove it.
func (r *Registry) SetDevice(ctx context.Context, name, jid, lid string) error {
	return r.update(ctx, "store the instance's device",
		`UPDATE tapnode_instances SET jid = $2, lid = $3 WHERE name = $1`, name, jid, lid)
}

// Own makes an account the owner of what is stored under the instance's name. What another account
// has left there is removed in the same transaction, except for the sends: they keep their keys and
// lose their messages, see [ledger.Leave]. Own reports whether there was another account.
func (r *Registry) Own(ctx context.Context, name string, account Account) (another bool, err error) {
	err = r.db.Write(ctx, "store the instance's account", func(t *sqldb.Tx) error {
		before, err := sqldb.One(ctx, t, scanInstance, `SELECT `+instanceColumns+` FROM tapnode_instances WHERE name = $1`, name)
		if err != nil {
			return err
		}
		another = before.Account.JID != "" && !before.Account.same(account)
		if another {
			if err := r.leave(t, name); err != nil {
				return err
			}
		}
		_, err = t.Exec(`UPDATE tapnode_instances SET account = $2, account_lid = $3 WHERE name = $1`, name, account.JID, account.LID)
		return err
	})
	return another, err
}

// leave removes the data of another account.
func (r *Registry) leave(t *sqldb.Tx, name string) error {
	if _, err := t.Exec(`DELETE FROM tapnode_pauses WHERE instance = $1`, name); err != nil {
		return err
	}
	for _, k := range r.kept {
		if err := k.Leave(t, name); err != nil {
			return err
		}
	}
	return nil
}

// SetWanted stores what the operator asked for.
func (r *Registry) SetWanted(ctx context.Context, name string, wanted Wanted) error {
	return r.update(ctx, "store the wanted state",
		`UPDATE tapnode_instances SET wanted = $2 WHERE name = $1`, name, wanted)
}

// SetState stores the current state and its reason.
func (r *Registry) SetState(ctx context.Context, name, state, reason string) error {
	return r.update(ctx, "store the instance's state",
		`UPDATE tapnode_instances SET state = $2, reason = $3, state_at = $4 WHERE name = $1`,
		name, state, reason, sqldb.Millis(r.now()))
}

// Delete removes the instance and everything that was stored for it. Its WhatsApp device is deleted
// first, with [store.Device.Delete] of whatsmeow.
func (r *Registry) Delete(ctx context.Context, name string) error {
	return r.db.Write(ctx, "delete the instance", func(t *sqldb.Tx) error {
		n, err := t.Exec(`DELETE FROM tapnode_instances WHERE name = $1`, name)
		if err == nil && n == 0 {
			err = sqldb.ErrNotFound
		}
		if err != nil {
			return err
		}
		if _, err := t.Exec(`DELETE FROM tapnode_pauses WHERE instance = $1`, name); err != nil {
			return err
		}
		for _, k := range r.kept {
			if err := k.Forget(t, name); err != nil {
				return err
			}
		}
		return r.signals.Tell(t, topic)
	})
}

// update changes the one row of an instance.
func (r *Registry) update(ctx context.Context, what, query string, args ...any) error {
	return r.db.Write(ctx, what, func(t *sqldb.Tx) error {
		n, err := t.Exec(query, args...)
		if err == nil && n == 0 {
			err = sqldb.ErrNotFound
		}
		return err
	})
}
