package store_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// left holds the rows and events of a send, without the values that always differ between two
// sends.
type left struct {
	entry ledger.Entry
	menu  menus.Menu
	told  []ledger.Change
}

// end makes a send and returns what it leaves, and how often a row was changed. Its outcome is
// known before its rows are written, or later.
func end(t *testing.T, s *store.Store, told *[]ledger.Change, key string, later, receipt bool, expires time.Time, o ledger.Outcome) (l left, changes int) {
	t.Helper()
	ctx, before := t.Context(), changed(t, s)
	c := begin(t, s, key, "f")
	release := holdRows(t, s)
	check(t, storeIntent(ctx, s, c, ledger.Plan{Chat: ada, Message: []byte("m"), Warnings: []byte("old"),
		Menu: &menus.Menu{Buttons: []menus.Button{{ID: "yes"}}, ExpiresAt: expires}}))
	id := c.Entry.MessageID
	if later {
		release()
		must[ledger.Entry](t)(s.Ledger.SentMessage(ctx, "shop", id))
	}
	check(t, s.Ledger.Conclude(ctx, c, o))
	c.Release()
	if !later {
		release()
	}
	if receipt {
		check(t, s.Ledger.Receipt(ctx, "shop", ledger.Receipt{MessageIDs: []string{id}, State: ledger.Delivered, At: o.SentAt}))
	}
	l.entry = must[ledger.Entry](t)(s.Ledger.SentMessage(ctx, "shop", id))
	l.menu = must[menus.Menu](t)(s.Menus.Get(ctx, "shop", id))
	l.told, *told = *told, nil
	for i := range l.told {
		entry := &l.told[i].Entry
		if entry.Key != key || entry.MessageID != id || l.told[i].Arrived() && l.told[i].Account.LID != "7@lid" {
			t.Errorf("%s: told of %+v", key, l.told[i])
		}
		if o.SentAt.IsZero() {
			l.told[i].At, entry.SentAt, entry.DeliveredAt = time.Time{}, time.Time{}, time.Time{}
		}
		entry.Key, entry.MessageID = "", ""
		entry.CreatedAt, entry.UpdatedAt, entry.ExpiresAt = time.Time{}, time.Time{}, time.Time{}
	}
	e, m, none := &l.entry, &l.menu, time.Time{}
	if !expires.IsZero() && !m.ExpiresAt.Equal(expires.Add(m.SentAt.Sub(e.CreatedAt))) { // its life begins with the message
		t.Errorf("%s: sent at %v in place of %v, it expires at %v in place of %v", key, m.SentAt, e.CreatedAt, m.ExpiresAt, expires)
	}
	if e.UpdatedAt.Before(e.CreatedAt) || !receipt && !e.SentAt.Equal(m.SentAt) && !o.SentAt.IsZero() {
		t.Errorf("%s: %+v, %+v", key, e, m)
	}
	if o.SentAt.IsZero() {
		e.SentAt, m.SentAt, e.DeliveredAt = none, none, none
	}
	m.ExpiresAt = none
	e.Key, e.MessageID, m.MessageID = "", "", ""
	e.CreatedAt, e.UpdatedAt, e.ExpiresAt, m.CreatedAt = none, none, none, none
	return l, changed(t, s) - before
}

// An outcome that is stored with its intent leaves the same rows and events as one that is stored
// later, and changes no row.
func TestOutcomeWithItsIntent(t *testing.T) {
	sentAt := time.Now().Add(time.Minute).Truncate(time.Second).UTC()
	outcomes := []ledger.Outcome{
		{State: ledger.Sent, JSON: []byte("out")},
		{State: ledger.Sent, JSON: []byte("out"), Warnings: []byte("new"), ChatLID: "1@lid", SentAt: sentAt},
		{State: ledger.Sent, JSON: []byte("out"), SentAt: sentAt},
		{State: ledger.Sent, JSON: []byte("out"), ChatLID: "1@lid"},
		{State: ledger.Sent, JSON: []byte("out"), Warnings: []byte("new")},
	}
	for _, heard := range []bool{false, true} {
		var told []ledger.Change
		s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: t.TempDir(), Alone: true, Status: ledger.Events{Type: "status", New: func(c ledger.Change) (outbox.Event, error) {
			told = append(told, c)
			return outbox.Event{ID: c.Entry.MessageID + c.To.String(), Type: "status", Instance: c.Entry.Instance, Data: []byte("{}")}, nil
		}}}))
		t.Cleanup(func() { _ = s.Close() })
		_, err := s.Registry.Create(t.Context(), "shop")
		check(t, err)
		_, err = s.Registry.Own(t.Context(), "shop", registry.Account{JID: "5511300000000@s.whatsapp.net", LID: "7@lid"})
		check(t, err)
		watch(t, s)
		if heard {
			_, _, err := s.Outbox.Subscribe(t.Context(), "host", outbox.Filter{Types: []string{"status"}}, nil)
			check(t, err)
		}
		for n, o := range outcomes {
			for _, expires := range []time.Time{{}, sentAt.Add(time.Hour)} {
				for _, receipt := range []bool{false, true} {
					key := fmt.Sprint(n, expires, receipt)
					together, changes := end(t, s, &told, key+" together", false, receipt, expires, o)
					apart, _ := end(t, s, &told, key+" later", true, receipt, expires, o)
					if !reflect.DeepEqual(together, apart) {
						t.Errorf("heard %v, %s:\ntogether %+v\nlater    %+v", heard, key, together, apart)
					}
					if !receipt && changes > 0 {
						t.Errorf("%s: %d changes", key, changes)
					}
					if want := map[bool]int{false: 1, true: 2}[receipt]; heard && len(together.told) != want {
						t.Errorf("%s: told %+v", key, together.told)
					}
				}
			}
		}
	}
}

// A change whose event cannot be made is stored all the same: with its intent, later, and as a
// receipt.
func TestChangeThatCannotBeTold(t *testing.T) {
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: t.TempDir(), Alone: true, Status: ledger.Events{Type: "status", New: func(ledger.Change) (outbox.Event, error) {
		return outbox.Event{}, errors.New("its message cannot be read")
	}}}))
	t.Cleanup(func() { _ = s.Close() })
	_, _, err := s.Outbox.Subscribe(t.Context(), "host", outbox.Filter{Types: []string{"status"}}, nil)
	check(t, err)
	for _, later := range []bool{false, true} {
		c := intend(t, s, fmt.Sprint(later))
		state := func() ledger.State {
			return must[ledger.Entry](t)(s.Ledger.SentMessage(t.Context(), "shop", c.Entry.MessageID)).State
		}
		if later {
			state()
		}
		check(t, s.Ledger.Conclude(t.Context(), c, ledger.Outcome{State: ledger.Sent, JSON: []byte("out")}))
		if got := state(); got != ledger.Sent {
			t.Errorf("later %v: it is %v", later, got)
		}
		check(t, s.Ledger.Receipt(t.Context(), "shop", ledger.Receipt{MessageIDs: []string{c.Entry.MessageID}, State: ledger.Read}))
		if got := state(); got != ledger.Read {
			t.Errorf("later %v: it is %v", later, got)
		}
	}
}

// watch counts changes of the rows of sends and menus.
func watch(t *testing.T, s *store.Store) {
	t.Helper()
	check(t, s.DB.Write(t.Context(), "watch", func(tx *sqldb.Tx) error {
		for _, query := range []string{
			`CREATE TABLE changed (what TEXT)`,
			`CREATE TRIGGER sends AFTER UPDATE ON tapnode_ledger BEGIN INSERT INTO changed VALUES ('send'); END`,
			`CREATE TRIGGER menus AFTER UPDATE ON tapnode_menus BEGIN INSERT INTO changed VALUES ('menu'); END`,
		} {
			if _, err := tx.Exec(query); err != nil {
				return fmt.Errorf("%s: %w", query, err)
			}
		}
		return nil
	}))
}

func changed(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	check(t, s.DB.Row(t.Context(), `SELECT count(*) FROM changed`, nil, &n))
	return n
}

// holdRows keeps rows from being written until the function that it returns is called.
func holdRows(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	held, goOn, over := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		over <- s.DB.Write(t.Context(), "hold the rows up", func(*sqldb.Tx) error { close(held); <-goOn; return nil })
	}()
	<-held
	return func() { close(goOn); check(t, <-over) }
}
