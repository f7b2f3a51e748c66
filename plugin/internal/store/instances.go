package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Wanted is what the operator asked an instance to be.
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

	State   string // the pool's own word, as last stored
	Reason  string
	StateAt time.Time

	Epoch     uint64 // of the lease that last claimed it; 0: none
	CreatedAt time.Time
}

const instanceColumns = `name, jid, lid, wanted, state, reason, state_at, epoch, created_at`

func scanInstance(row scanner) (Instance, error) {
	var i Instance
	var stateAt, epoch, createdAt int64
	err := row.Scan(&i.Name, &i.JID, &i.LID, &i.Wanted, &i.State, &i.Reason, &stateAt, &epoch, &createdAt)
	i.StateAt, i.Epoch, i.CreatedAt = fromMillis(stateAt), uint64(epoch), fromMillis(createdAt)
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

// CreateInstance adds an instance. Errors: ErrExists, ErrLimit, or why the name
// will not do.
func (s *Store) CreateInstance(ctx context.Context, name string) (Instance, error) {
	if err := ValidInstanceName(name); err != nil {
		return Instance{}, err
	}
	i := Instance{Name: name, Wanted: Disconnected, CreatedAt: fromMillis(millis(s.now()))}
	err := s.write(ctx, "create the instance", func(t *tx) error {
		var count int
		if err := t.row(`SELECT count(*) FROM tapnode_instances`).Scan(&count); err != nil {
			return err
		}
		if count >= s.opt.Limits.Instances {
			return fmt.Errorf("%w: %d instances", ErrLimit, count)
		}
		n, err := t.exec(`INSERT INTO tapnode_instances (name, wanted, created_at)
			VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`, name, i.Wanted, millis(i.CreatedAt))
		if err == nil && n == 0 {
			err = ErrExists
		}
		return err
	})
	if err != nil {
		return Instance{}, err
	}
	return i, nil
}

// Instance reads one. Error: ErrNotFound.
func (s *Store) Instance(ctx context.Context, name string) (Instance, error) {
	found, err := collect(ctx, s.db, scanInstance,
		`SELECT `+instanceColumns+` FROM tapnode_instances WHERE name = $1`, name)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Instance{}, wrap("read the instance", err)
	}
	return found[0], nil
}

// Instances reads all, by name.
func (s *Store) Instances(ctx context.Context) ([]Instance, error) {
	all, err := collect(ctx, s.db, scanInstance, `SELECT `+instanceColumns+` FROM tapnode_instances ORDER BY name`)
	return all, wrap("read the instances", err)
}

// SetDevice remembers the paired device; empty strings forget it.
func (s *Store) SetDevice(ctx context.Context, name, jid, lid string) error {
	return s.update(ctx, "store the instance's device",
		`UPDATE tapnode_instances SET jid = $2, lid = $3 WHERE name = $1`, name, jid, lid)
}

// SetWanted stores what the operator asked for.
func (s *Store) SetWanted(ctx context.Context, name string, wanted Wanted) error {
	return s.update(ctx, "store the wanted state",
		`UPDATE tapnode_instances SET wanted = $2 WHERE name = $1`, name, wanted)
}

// SetState stores the last state and why.
func (s *Store) SetState(ctx context.Context, name, state, reason string) error {
	return s.update(ctx, "store the instance's state",
		`UPDATE tapnode_instances SET state = $2, reason = $3, state_at = $4 WHERE name = $1`,
		name, state, reason, millis(s.now()))
}

// ClaimLease makes epoch the instance's owner. The same or a higher epoch than
// the stored one is taken; a lower one is ErrLeaseLost.
func (s *Store) ClaimLease(ctx context.Context, name string, epoch uint64) error {
	if epoch > math.MaxInt64 {
		return fmt.Errorf("claim the lease: epoch %d is not one: a lease counts up from 1", epoch)
	}
	return s.write(ctx, "claim the lease", func(t *tx) error {
		n, err := t.exec(`UPDATE tapnode_instances SET epoch = $2 WHERE name = $1 AND epoch <= $2`, name, int64(epoch))
		if err != nil || n == 1 {
			return err
		}
		if err := t.row(`SELECT count(*) FROM tapnode_instances WHERE name = $1`, name).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return ErrLeaseLost
	})
}

// DeleteInstance forgets the instance and everything that was stored for it. Its
// WhatsApp device is deleted with [store.Device.Delete] of whatsmeow, before.
func (s *Store) DeleteInstance(ctx context.Context, name string) error {
	return s.write(ctx, "delete the instance", func(t *tx) error {
		n, err := t.exec(`DELETE FROM tapnode_instances WHERE name = $1`, name)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"ledger", "menus", "messages", "uploads", "contacts", "pauses"} {
			if _, err := t.exec(`DELETE FROM tapnode_`+table+` WHERE instance = $1`, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// update changes the one row of an instance.
func (s *Store) update(ctx context.Context, what, query string, args ...any) error {
	return s.write(ctx, what, func(t *tx) error {
		n, err := t.exec(query, args...)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
}
