package store_test

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// writtenAt is when the databases in testdata were written.
var writtenAt = time.Date(2026, 11, 26, 6, 50, 0, 0, time.UTC)

// earlier lists databases as earlier versions of this program left them: one instance that is
// paired, sent a menu to Ana, received her click on it, and was refused a new chat with 463. Three
// of the one-time keys are left, for brevity.
var earlier = []string{"version4"}

// A database of an earlier version is read correctly, on SQLite and on Postgres.
func TestDatabasesOfEarlierVersionsOpen(t *testing.T) {
	for _, version := range earlier {
		onOptions(t, store.Options{Now: func() time.Time { return writtenAt }}, func(t *testing.T, opt store.Options) {
			load(t, opt, version)
			s := must[*store.Store](t)(store.Open(t.Context(), opt))
			defer s.Close()
			checkInstance(t, s)
			checkSends(t, s)
			checkEvents(t, s)
		})
	}
}

// load fills an empty database with a dump.
func load(t *testing.T, opt store.Options, version string) {
	t.Helper()
	driver, dsn, dialect := "sqlite", filepath.Join(opt.Dir, store.FileName), "sqlite"
	if opt.Postgres != "" {
		driver, dsn, dialect = "pgx", opt.Postgres, "postgres"
	}
	dump := must[[]byte](t)(os.ReadFile(filepath.Join("testdata", version+"."+dialect+".sql")))
	db := must[*sql.DB](t)(sql.Open(driver, dsn))
	_, err := db.ExecContext(t.Context(), string(dump))
	check(t, errors.Join(err, db.Close()))
}

// one reads one text whose value was random when the database was written.
func one(t *testing.T, s *store.Store, query string) (text string) {
	t.Helper()
	check(t, s.DB.Row(t.Context(), query, nil, &text))
	return text
}

func checkInstance(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	shop := must[registry.Instance](t)(s.Registry.Instance(ctx, "shop"))
	if shop.JID != "551130000001:1@s.whatsapp.net" || shop.Wanted != registry.Connected {
		t.Errorf("instance %+v", shop)
	}
	jid := must[types.JID](t)(types.ParseJID(shop.JID))
	device := must[*wastore.Device](t)(s.Devices.Device(ctx, jid))
	if has := must[bool](t)(device.Sessions.HasSession(ctx, "688328653607671_1:0")); !has {
		t.Error("the Signal session with Ana is gone")
	}
	pauses := must[[]registry.Pause](t)(s.Registry.Pauses(ctx, "shop"))
	if len(pauses) != 1 || pauses[0].Reason != "new_chats_locked" {
		t.Errorf("pauses %+v", pauses)
	}
	if version := must[string](t)(s.Registry.WebVersion(ctx)); version == "" {
		t.Error("the version of WhatsApp Web is gone")
	}
	if wrote := must[bool](t)(s.Inbox.Wrote(ctx, "shop", ana)); !wrote {
		t.Error("that Ana wrote first is forgotten")
	}
	if m := must[inbox.Message](t)(s.Inbox.Get(ctx, "shop", one(t, s, `SELECT message_id FROM tapnode_messages ORDER BY stored_at LIMIT 1`))); m.Chat != ana || !strings.Contains(string(m.Body), "good morning") {
		t.Errorf("message %+v", m)
	}
}

var ana = recipient.Chat{JID: "5511988880001@s.whatsapp.net", LID: "688328653607671@lid"}

func checkSends(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	const fingerprint = "18bb39cb1fc23f9aeb76a5b5d5a5319b"
	claim := must[*ledger.Claim](t)(s.Ledger.Begin(ctx, "whatsapp.sendButtons@1", "shop", "key-1", fingerprint))
	defer claim.Release()
	e := claim.Entry
	if claim.Verdict != ledger.Replay || e.State != ledger.Delivered || e.Source != "upgrade" || e.Correlation != "run-1:ask:1" || len(e.Outcome) == 0 {
		t.Errorf("the first send is %d, %+v", claim.Verdict, e)
	}
	if refused := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, "whatsapp.sendButtons@1", "shop", "key-2")); refused.State != ledger.Failed {
		t.Errorf("the second send is %v", refused.State)
	}
	live := must[[]menus.Menu](t)(s.Menus.Live(ctx, "shop", ana, writtenAt))
	if len(live) != 1 || live[0].MessageID != e.MessageID || live[0].Clicks != 1 || live[0].Policy != menus.OncePerPerson || len(live[0].Buttons) != 2 {
		t.Errorf("menus %+v", live)
	}
	again := must[appended](t)(appendClick(ctx, s, outbox.Event{ID: "new", Type: clicked, Instance: "shop", Time: writtenAt},
		menus.Press{MessageID: e.MessageID, People: []string{ana.LID}}, func(menus.Count) ([]byte, error) { return []byte("{}"), nil }))
	if again.Click.Refused != menus.Repeated {
		t.Errorf("Ana's second press: %+v", again.Click)
	}
}

func checkEvents(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	click := one(t, s, `SELECT id FROM tapnode_events WHERE type = 'whatsapp.button.clicked.v1' ORDER BY seq LIMIT 1`)
	var told int // it depends on which receipt was faster
	check(t, s.DB.Row(ctx, `SELECT count(*) FROM tapnode_events WHERE type = 'whatsapp.message.status.v1'`, nil, &told))
	for name, want := range map[string]struct {
		kind   string
		unread int
	}{
		"whatsapp.buttonClick@1/test":     {clicked, 1}, // the one of checkSends
		"whatsapp.messageReceived@1/test": {received, 0},
		"whatsapp.messageStatus@1/test":   {"whatsapp.message.status.v1", told},
	} {
		f := outbox.Filter{Types: []string{want.kind}}
		from, resumed, err := s.Outbox.Subscribe(ctx, name, f, nil)
		if err != nil || !resumed {
			t.Errorf("%s: resumed %v, %v", name, resumed, err)
		}
		if got, _ := ids(t, s, from, f); len(got) != want.unread {
			t.Errorf("%s: %d unread events, want %d", name, len(got), want.unread)
		}
	}
	if dup := must[appended](t)(appendEvent(ctx, s, outbox.Event{ID: click, Type: clicked})); !dup.Duplicate {
		t.Error("a click that was delivered before is taken again")
	}
	if id := s.DB.ID(); hex.EncodeToString(id[:]) != one(t, s, `SELECT value FROM tapnode_meta WHERE name = 'id'`) {
		t.Errorf("the database's id is %x: the cursors of its hosts are worth nothing", id)
	}
}
