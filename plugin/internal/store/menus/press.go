package menus

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
)

// Policy says how many presses a menu accepts.
type Policy string

// The policies. Empty is All.
const (
	All           Policy = "all"
	First         Policy = "first"         // only the first press
	OncePerPerson Policy = "oncePerPerson" // one press per person
)

// Refusal says why a menu refused a press; empty if it accepted it.
type Refusal string

// The refusals, in the order of the checks.
const (
	NotAllowed Refusal = "not_allowed" // the person is not in Menu.Allowed
	Expired    Refusal = "expired"     // after Menu.ExpiresAt
	Taken      Refusal = "taken"       // First, and another press was accepted
	Repeated   Refusal = "repeated"    // OncePerPerson, and this person had pressed before
)

// Press is a click on a menu.
type Press struct {
	MessageID string   // of the menu
	People    []string // JIDs of the one person who pressed
}

// Count is the place of a press among those on its menu.
type Count struct {
	N       int           // accepted presses including this one; 0 if it was refused
	Refused Refusal       // empty if it was accepted, and without a menu
	Late    time.Duration // after the menu expired; 0 in time
}

// Count decides about a press at a time, counts it if it is accepted, and passes the result to then
// as [sqldb.Tx.Then] does. The first statement that finds the menu locks its row until the commit,
// so that two presses are counted one after the other.
func (p Press) Count(t *sqldb.Tx, instance string, at time.Time, then func(Count) error) error {
	// Most menus can refuse a press only because they have expired. Their presses are counted
	// without waiting for each other.
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

// decide is Count for a menu with rules or one that has expired. It waits for each of its
// statements, because nobody may see a count that it takes back.
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

// refusal applies the rules that the menu's row alone decides.
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

// again records the person under every address. An address that was recorded before means that the
// person has pressed before; the other addresses are then recorded, too.
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
