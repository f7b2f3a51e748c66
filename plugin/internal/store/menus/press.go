package menus

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Policy says how many presses a menu takes.
type Policy string

// The policies. Empty is All.
const (
	All           Policy = "all"
	First         Policy = "first"         // one, whoever is the fastest
	OncePerPerson Policy = "oncePerPerson" // one of each person
)

// Refusal says why a menu did not take a press; empty when it did.
type Refusal string

// The refusals, in the order they are looked for.
const (
	NotAllowed Refusal = "not_allowed" // by somebody who is not in Menu.Allowed
	Expired    Refusal = "expired"     // after Menu.ExpiresAt
	Taken      Refusal = "taken"       // First, and there was one
	Repeated   Refusal = "repeated"    // OncePerPerson, and this one had pressed
)

// Press is a click as the menu it is on sees it.
type Press struct {
	MessageID string   // of the menu
	People    []string // JIDs of the one person who pressed
}

// Count places a press on its menu.
type Count struct {
	N       int           // how many were taken, with this one; 0 when it was not
	Refused Refusal       // empty when it was taken, and without a menu
	Late    time.Duration // after the menu's end; 0 in time
}

// Count decides about a press at a time, counts it when it is taken, and tells of it as [sqldb.Tx.Then]
// does. The first statement that finds the menu locks its row until the commit, so that of two presses one is
// first.
func (p Press) Count(t *sqldb.Tx, instance string, at time.Time, then func(Count) error) error {
	// Nothing but its end can refuse a press of most menus, which are counted without waiting for each other.
	var c Count
	return t.Then(`UPDATE tapnode_menus SET clicks = clicks + 1 WHERE instance = $1 AND message_id = $2
			AND policy = $3 AND allowed = '[]' AND (expires_at = 0 OR expires_at >= $4) RETURNING clicks`,
		[]any{instance, p.MessageID, All, sqldb.Millis(at)}, func(row sqldb.Scanner) error { return row.Scan(&c.N) }, func(n int64) (err error) {
			if n == 0 {
				if c, err = p.decide(t, instance, at); err != nil {
					return err
				}
			}
			return then(c)
		})
}

// decide is Count for a menu with rules, or that has ended. It waits for each of its statements: what it takes
// back nobody may have seen.
func (p Press) decide(t *sqldb.Tx, instance string, at time.Time) (c Count, err error) {
	var m Menu
	var allowed []byte
	var expiresAt int64
	err = t.Row(`UPDATE tapnode_menus SET clicks = clicks + 1 WHERE instance = $1 AND message_id = $2
		RETURNING clicks, policy, allowed, expires_at`, []any{instance, p.MessageID}, &c.N, &m.Policy, &allowed, &expiresAt)
	if errors.Is(err, sqldb.ErrNotFound) {
		return Count{}, nil
	}
	if err == nil {
		err = json.Unmarshal(allowed, &m.Allowed)
	}
	if err != nil {
		return c, err
	}
	if m.ExpiresAt = sqldb.Time(expiresAt); !m.ExpiresAt.IsZero() {
		c.Late = max(0, at.Sub(m.ExpiresAt))
	}
	if c.Refused = p.refusal(m, c); c.Refused == "" && m.Policy == OncePerPerson {
		c.Refused, err = p.again(t, instance)
	}
	if err != nil || c.Refused == "" {
		return c, err
	}
	c.N = 0
	_, err = t.Exec(`UPDATE tapnode_menus SET clicks = clicks - 1 WHERE instance = $1 AND message_id = $2`, instance, p.MessageID)
	return c, err
}

// refusal is what the menu's row alone decides.
func (p Press) refusal(m Menu, c Count) Refusal {
	allowed := func(person string) bool { return slices.Contains(m.Allowed, person) }
	switch {
	case len(m.Allowed) > 0 && !slices.ContainsFunc(p.People, allowed):
		return NotAllowed
	case c.Late > 0:
		return Expired
	case m.Policy == First && c.N > 1:
		return Taken
	}
	return ""
}

// again notes the person under every address. One that was there before means that
// the person was, and the others are learned.
func (p Press) again(t *sqldb.Tx, instance string) (Refusal, error) {
	var refused Refusal
	for _, person := range p.People {
		fresh, err := t.Exec(`INSERT INTO tapnode_menu_people (instance, message_id, person) VALUES ($1, $2, $3)
			ON CONFLICT DO NOTHING`, instance, p.MessageID, person)
		if err != nil {
			return "", err
		}
		if fresh == 0 {
			refused = Repeated
		}
	}
	return refused, nil
}
