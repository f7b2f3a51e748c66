package store_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// left is what a send leaves, without what differs between any two.
type left struct {
	entry ledger.Entry
	menu  menus.Menu
	told  []string
}

// end sends something and returns what that leaves, and how often a row was changed. Its outcome is known before its rows
// are written, or later.
func end(t *testing.T, s *store.Store, key string, later, receipt bool, expires time.Time, o ledger.Outcome) (l left, changes int) {
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
	for _, e := range must[[]outbox.Event](t)(s.Outbox.Read(ctx, nil, outbox.Filter{Types: []string{"status"}}, 1000)) {
		if e.ID == id+string(e.Data) {
			l.told = append(l.told, string(e.Data))
		}
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

// An outcome that is stored with its intent leaves what it leaves when it comes later, for hosts too, and changes no
// row unless one of them wants to hear of it.
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
		s := alone(t, t.TempDir())
		watch(t, s)
		if heard {
			_, _, err := s.Outbox.Subscribe(t.Context(), "host", outbox.Filter{Types: []string{"status"}}, nil)
			check(t, err)
		}
		for n, o := range outcomes {
			for _, expires := range []time.Time{{}, sentAt.Add(time.Hour)} {
				for _, receipt := range []bool{false, true} {
					key := fmt.Sprint(n, expires, receipt)
					together, changes := end(t, s, key+" together", false, receipt, expires, o)
					apart, _ := end(t, s, key+" later", true, receipt, expires, o)
					if !reflect.DeepEqual(together, apart) {
						t.Errorf("heard %v, %s:\ntogether %+v\nlater    %+v", heard, key, together, apart)
					}
					if !heard && !receipt && changes > 0 {
						t.Errorf("%s: %d changes", key, changes)
					}
					if heard && !slices.Contains(together.told, "sent") {
						t.Errorf("%s: told %q", key, together.told)
					}
				}
			}
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
