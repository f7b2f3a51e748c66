package store_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// ruled stores a menu with rules and returns its message id.
func ruled(t *testing.T, s *store.Store, key string, m menus.Menu) string {
	t.Helper()
	c := begin(t, s, key, "f")
	defer c.Release()
	m.Buttons = []menus.Button{{ID: "yes", DisplayText: "Yes", Type: "REPLY"}}
	check(t, storeIntent(t.Context(), s, c, ledger.Plan{Chat: ada, Message: []byte("m"), Menu: &m}))
	return c.Entry.MessageID
}

// press makes one press of a person who is known under some addresses.
func press(t *testing.T, s *store.Store, menu, id string, at time.Time, people ...string) appended {
	t.Helper()
	e := outbox.Event{ID: id, Type: clicked, Instance: "shop", Time: at, Correlation: "run-1"}
	return must[appended](t)(appendClick(t.Context(), s, e, menus.Press{MessageID: menu, People: people},
		func(c menus.Count) ([]byte, error) { return json.Marshal(c) }))
}

func TestRulesOfAMenu(t *testing.T) {
	const ana, anaLID, bob = "1@s.whatsapp.net", "1@lid", "2@lid"
	c := newClock()
	type row struct {
		people  []string
		after   time.Duration
		n       int
		refused menus.Refusal
	}
	both := []string{ana, anaLID}
	for name, tc := range map[string]struct {
		menu menus.Menu
		rows []row
	}{
		"no rules":  {menus.Menu{}, []row{{both, 0, 1, ""}, {both, time.Hour, 2, ""}, {[]string{bob}, 48 * time.Hour, 3, ""}}},
		"the first": {menus.Menu{Policy: menus.First}, []row{{[]string{bob}, 0, 1, ""}, {both, 0, 0, menus.Taken}, {[]string{bob}, 0, 0, menus.Taken}}},
		"once per person": {menus.Menu{Policy: menus.OncePerPerson}, []row{
			{[]string{ana}, 0, 1, ""}, {[]string{bob}, 0, 2, ""}, {[]string{bob}, 0, 0, menus.Repeated},
			{both, 0, 0, menus.Repeated},             // recognised by the phone number; the LID is recorded
			{[]string{anaLID}, 0, 0, menus.Repeated}, // and recognised from now on
		}},
		"allowed": {menus.Menu{Policy: menus.First, Allowed: []string{anaLID, ana}}, []row{
			{[]string{bob}, 0, 0, menus.NotAllowed}, {[]string{anaLID}, 0, 1, ""}, {both, 0, 0, menus.Taken},
		}},
		"lifetime": {menus.Menu{Policy: menus.OncePerPerson, ExpiresAt: c.now().Add(time.Minute)}, []row{
			{[]string{bob}, time.Minute, 1, ""}, {both, time.Minute + time.Second, 0, menus.Expired},
			{[]string{bob}, time.Hour, 0, menus.Expired}, {both, 30 * time.Second, 2, ""}, // pressed in time, delivered late
		}},
		"expired for strangers too": {menus.Menu{Allowed: []string{ana}, ExpiresAt: c.now().Add(time.Minute)}, []row{
			{[]string{bob}, time.Hour, 0, menus.NotAllowed}, {both, time.Hour, 0, menus.Expired},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, store.Options{Now: c.now}, func(t *testing.T, open func() *store.Store) {
				s := open()
				menu := ruled(t, s, "k", tc.menu)
				for i, r := range tc.rows {
					got := press(t, s, menu, fmt.Sprint(i), c.now().Add(r.after), r.people...)
					if got.Click.N != r.n || got.Click.Refused != r.refused {
						t.Errorf("press %d: %+v, want %+v", i, got, r)
					}
				}
				events := must[[]outbox.Event](t)(s.Outbox.Read(t.Context(), nil, outbox.Filter{}, 100))
				for i, e := range events {
					if refused := tc.rows[i].refused != ""; refused != (e.Correlation == "") {
						t.Errorf("event %d, refused %v, has the correlation %q", i, refused, e.Correlation)
					}
				}
				if len(events) != len(tc.rows) {
					t.Errorf("%d events for %d presses", len(events), len(tc.rows))
				}
			})
		})
	}
}

// TestOneOfManyIsFirst: of simultaneous presses one is accepted, under either policy.
func TestOneOfManyIsFirst(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		first, once := ruled(t, s, "first", menus.Menu{Policy: menus.First}), ruled(t, s, "once", menus.Menu{Policy: menus.OncePerPerson})
		const presses = 32
		var mu sync.Mutex
		taken := map[string]int{}
		var wg sync.WaitGroup
		for i := range presses {
			for _, menu := range []string{first, once} {
				wg.Go(func() {
					got := press(t, s, menu, fmt.Sprint(menu, i), time.Now(), fmt.Sprint(i%4, "@lid"), fmt.Sprint(i%4, "@s.whatsapp.net"))
					if got.Click.Refused == "" {
						mu.Lock()
						taken[menu]++
						mu.Unlock()
					}
				})
			}
		}
		wg.Wait()
		if taken[first] != 1 || taken[once] != 4 {
			t.Errorf("%d taken of first, %d of oncePerPerson, want 1 and 4", taken[first], taken[once])
		}
	})
}

// TestLifeBeginsWithTheMessage: a menu's life does not begin with its intent, which a crash may
// leave behind long before the message is sent.
func TestLifeBeginsWithTheMessage(t *testing.T) {
	c := newClock()
	onEach(t, store.Options{Now: c.now}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		id := ruled(t, s, "k", menus.Menu{ExpiresAt: c.now().Add(time.Minute)})
		claim := begin(t, s, "k", "f")
		defer claim.Release()
		sent := c.now().Add(time.Hour)
		check(t, s.Ledger.Conclude(ctx, claim, ledger.Outcome{State: ledger.Sent, JSON: []byte("{}"), SentAt: sent}))
		if m := must[menus.Menu](t)(s.Menus.Get(ctx, "shop", id)); !m.ExpiresAt.Equal(sent.Add(time.Minute)) {
			t.Errorf("the menu ends at %v, sent at %v", m.ExpiresAt, m.SentAt)
		}
	})
}

// TestMenuOutlivesItsRetention: a menu stays until it expires even past the retention, and the
// record of who pressed is removed with it.
func TestMenuOutlivesItsRetention(t *testing.T) {
	c := newClock()
	const day = 24 * time.Hour
	opt := store.Options{Now: c.now, Retention: store.Retention{Menus: 2 * day, Ledger: 100 * day}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		id := ruled(t, s, "k", menus.Menu{Policy: menus.OncePerPerson, ExpiresAt: c.now().Add(5 * day)})
		press(t, s, id, "1", c.now(), "1@lid")
		for _, step := range []struct {
			after time.Duration
			want  error
		}{{3 * day, nil}, {3 * day, nil}, {2 * day, sqldb.ErrNotFound}} { // past the retention, expired, both
			c.add(step.after)
			check(t, s.Sweep(ctx))
			if _, err := s.Menus.Get(ctx, "shop", id); !errors.Is(err, step.want) {
				t.Errorf("at %v: %v, want %v", c.now(), err, step.want)
			}
		}
		if got := press(t, s, id, "2", c.now(), "1@lid"); got.Click != (menus.Count{}) {
			t.Errorf("a press on a forgotten menu: %+v", got)
		}
	})
}

// TestMigrationKeepsMenus: a menu of the first version accepts every press.
func TestMigrationKeepsMenus(t *testing.T) {
	dir := t.TempDir()
	script := must[[]byte](t)(os.ReadFile("schema/001_initial.sql"))
	db := must[*sql.DB](t)(sql.Open("sqlite", "file:"+filepath.Join(dir, "tapnode.db")))
	for _, statement := range []string{
		string(script), `CREATE TABLE tapnode_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)`,
		`INSERT INTO tapnode_meta VALUES ('version', '1')`,
		`INSERT INTO tapnode_menus VALUES ('shop', '3EB0', '1@s.whatsapp.net', '', '[{"id":"yes"}]', 'run-1', 'crm', 1, 1, 0, 1)`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	check(t, db.Close())
	s := must[*store.Store](t)(store.Open(t.Context(), store.Options{Dir: dir}))
	defer s.Close()
	m := must[menus.Menu](t)(s.Menus.Get(t.Context(), "shop", "3EB0"))
	if m.Policy != menus.All || m.Allowed == nil || len(m.Allowed) != 0 || m.AsText || m.Clicks != 1 {
		t.Errorf("menu = %+v", m)
	}
	if got := press(t, s, "3EB0", "1", time.Now(), "1@lid"); got.Click.N != 2 || got.Click.Refused != "" {
		t.Errorf("press = %+v", got)
	}
}
