package ledger

import (
	"errors"
	"sync"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// A send that went ahead has usually ended before its rows are written. The rows are then stored
// with the outcome, instead of being stored and changed. The log has the intent and the journal the
// outcome, so after a crash the next start makes the same rows from the two.

// settled is an outcome and its time.
type settled struct {
	Outcome
	at time.Time
}

// in returns an intent's entry and menu with the outcome of a sent message.
func (s *settled) in(e Entry, menu *menus.Menu) (Entry, *menus.Menu) {
	e.State, e.SentAt, e.Outcome = s.State, s.at, s.JSON
	if s.Warnings != nil {
		e.Warnings = s.Warnings
	}
	if s.ChatLID != "" {
		e.Chat.LID = s.ChatLID
	}
	if menu == nil {
		return e, nil
	}
	m := *menu
	m.Chat.LID = e.Chat.LID
	if !s.SentAt.IsZero() {
		if m.SentAt = s.SentAt; !m.ExpiresAt.IsZero() {
			m.ExpiresAt = m.ExpiresAt.Add(m.SentAt.Sub(menu.SentAt))
		}
	}
	return e, &m
}

// insertSettled stores an intent with its outcome, and the event of the outcome if a host wants it.
func (l *Ledger) insertSettled(t *sqldb.Tx, e Entry, m *menus.Menu, s *settled) error {
	e, m = s.in(e, m)
	e.UpdatedAt = l.now()
	return l.wanted(t, e.Instance, func(wanted bool) error {
		var event outbox.Event
		if wanted {
			change := Change{Entry: e, From: Intent, To: s.State, At: s.at}
			err := t.Row(`SELECT account, account_lid FROM tapnode_instances WHERE name = $1`, []any{e.Instance}, &change.Account.JID, &change.Account.LID)
			if err != nil && !errors.Is(err, sqldb.ErrNotFound) {
				return err
			}
			event, wanted = l.event(change)
		}
		err := insert(t, e, m)
		if err == nil && wanted {
			err = l.outbox.Insert(t, event)
		}
		return err
	})
}

// ahead holds an outcome that arrives before the rows of its intent are written.
type ahead struct {
	mu      sync.Mutex
	waiting bool     // the log has the intent, and its rows are not written yet
	outcome *settled // the outcome that the rows will have, or have
}

// known returns the outcome that the rows are to have, nil for none. With final the rows are being
// written and take no later outcome.
func (a *ahead) known(final bool) *settled {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = !final
	return a.outcome
}

// learn gives the outcome to rows that are not written yet.
func (a *ahead) learn(s *settled) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting {
		a.outcome = s
	}
}

// has reports whether the rows were written with that outcome.
func (a *ahead) has(s *settled) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.waiting && a.outcome == s
}
