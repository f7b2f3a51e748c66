package store_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

const day = 24 * time.Hour

// A year's use at a ten-thousandth of its rate: one menu a day, with a click on it, stands for ten
// thousand. Each is sent to a new person.
const (
	perDay    = 1
	newcomers = perDay
)

// bounds says how many rows a table may have at the end, and why. A table that is missing here
// fails the test: whoever adds a table must say what bounds its rows.
var bounds = map[string]struct {
	rows int
	why  string
}{
	"tapnode_meta":         {4, "one row for each name"},
	"tapnode_sequence":     {1, "one row for each name"},
	"tapnode_instances":    {1, "Limits.Instances"},
	"tapnode_subscribers":  {1, "Limits.Subscribers"},
	"tapnode_event_floors": {4, "a row for each type and instance"},
	"tapnode_ledger":       {perDay * 8, "Retention.Ledger"},
	"tapnode_receipts":     {perDay * 8, "goes with its ledger row"},
	"tapnode_menus":        {perDay * 91, "Retention.Menus"},
	"tapnode_menu_people":  {2 * perDay * 91, "goes with its menu"},
	"tapnode_events":       {7 * perDay, "acknowledged, and 7 days"},
	"tapnode_seen":         {perDay * 31, "Retention.Seen"},
	"tapnode_messages":     {perDay * 31, "Retention.Messages"},
	"tapnode_contacts":     {2 * newcomers * 101, "Retention.Contacts"},
	"tapnode_timers":       {2 * newcomers * 101, "Retention.Contacts"},
	"tapnode_recipients":   {newcomers * 3, "ExpiresAt"},
	"tapnode_uploads":      {3, "ExpiresAt"},
	"tapnode_pauses":       {2, "their end"},
	"tapnode_processes":    {0, "a day without a beat; there are none without leases"},

	"whatsmeow_version":                 {1, "whatsmeow's own"},
	"whatsmeow_device":                  {1, "Limits.Instances"},
	"whatsmeow_pre_keys":                {812, "whatsmeow deletes a key that was used and makes as many as are missing"},
	"whatsmeow_message_secrets":         {0, "not kept, see secrets.go"},
	"whatsmeow_retry_buffer":            {0, "not used: the ledger answers retries"},
	"whatsmeow_event_buffer":            {0, "whatsmeow deletes what is older than its redelivery"},
	"whatsmeow_sessions":                {newcomers * 365, "one for each device of each person"},
	"whatsmeow_identity_keys":           {newcomers*365 + 1, "one for each device of each person"},
	"whatsmeow_lid_map":                 {newcomers * 365, "one for each person"},
	"whatsmeow_contacts":                {newcomers * 365, "one for each person"},
	"whatsmeow_privacy_tokens":          {newcomers * 365, "one for each person; whatsmeow deletes expired ones at every login"},
	"whatsmeow_sender_keys":             {0, "one for each member of each group"},
	"whatsmeow_app_state_sync_keys":     {0, "the phone makes a few a year"},
	"whatsmeow_app_state_version":       {0, "one for each of five collections"},
	"whatsmeow_app_state_mutation_macs": {0, "one for each setting of the account"},
	"whatsmeow_chat_settings":           {0, "one for each chat that the phone has muted, pinned or archived"},
	"whatsmeow_nct_salt":                {0, "one for each device"},
}

// TestYear: after a year of use the size of every table depends on its retention or on the number
// of people contacted, and none grows with the messages for good.
func TestYear(t *testing.T) {
	if testing.Short() {
		t.Skip("a year takes some seconds")
	}
	c := newClock()
	opt := store.Options{Now: c.now, Relaxed: true, Retention: store.Retention{
		Ledger: 7 * day, Menus: 90 * day, Events: 30 * day, Seen: 30 * day, Messages: 30 * day, Contacts: 100 * day,
	}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		must[registry.Instance](t)(s.Registry.Create(ctx, "shop"))
		d := pair(t, s.Devices.NewDevice(), 1)
		must[[]byte](t)(host(ctx, s))
		most := make(map[string]int)
		for today := range 365 {
			for n := range perDay {
				oneMenu(t, s, d, c, today, n)
			}
			acknowledge(t, s)
			c.add(day)
			check(t, s.Sweep(ctx))
			if today%30 == 29 || today == 364 {
				for table, rows := range rows(t, s) {
					most[table] = max(most[table], rows)
				}
			}
		}
		for _, table := range slices.Sorted(maps.Keys(most)) {
			b, known := bounds[table]
			if !known {
				t.Errorf("nothing bounds %s: it has %d rows", table, most[table])
			} else if most[table] > b.rows {
				t.Errorf("%s had %d rows, more than %d (%s)", table, most[table], b.rows, b.why)
			}
		}
		t.Logf("most rows: %v", most)
	})
}

func host(ctx context.Context, s *store.Store) ([]byte, error) {
	from, _, err := s.Outbox.Subscribe(ctx, "host", outbox.Filter{}, nil)
	return from, err
}

// acknowledge is the host taking all events.
func acknowledge(t *testing.T, s *store.Store) {
	t.Helper()
	events := must[[]outbox.Event](t)(s.Outbox.Read(t.Context(), nil, outbox.Filter{}, 1000))
	if len(events) > 0 {
		check(t, s.Outbox.Ack(t.Context(), "host", events[len(events)-1].Cursor))
	}
}

// oneMenu is a menu to somebody, its receipts, and the click on it.
func oneMenu(t *testing.T, s *store.Store, d *wastore.Device, c *clock, today, n int) {
	t.Helper()
	ctx := t.Context()
	id := fmt.Sprintf("%d-%d", today, n)
	someone := uint64(today*newcomers + n%newcomers + 1)
	pn := types.NewJID(fmt.Sprint(551100000000+someone), types.DefaultUserServer)
	lid := types.NewJID(fmt.Sprint(100000000000+someone), types.HiddenUserServer)
	chat := recipient.Chat{JID: pn.String(), LID: lid.String()}

	check(t, s.Cache.PutRecipient(ctx, cache.Recipient{Query: pn.User, Found: true, Chat: chat, ExpiresAt: c.now().Add(day)}))
	check(t, s.Cache.PutUpload(ctx, cache.Upload{Instance: "shop", Kind: "IMAGE", SHA256: []byte(fmt.Sprint(today)), Descriptor: []byte("d"), ExpiresAt: c.now().Add(day)}))
	check(t, d.LIDs.PutLIDMapping(ctx, lid, pn))
	check(t, d.Identities.PutIdentity(ctx, lid.SignalAddress().String(), [32]byte{1}))
	check(t, d.Sessions.PutManySessions(ctx, map[string][]byte{lid.SignalAddress().String(): []byte(id)}))
	check(t, d.PrivacyTokens.PutPrivacyTokens(ctx, wastore.PrivacyToken{User: lid, Token: []byte(id), Timestamp: c.now()}))
	check(t, d.MsgSecrets.PutMessageSecret(ctx, lid, lid, id, []byte(id)))
	must[string](t)(secondOf(d.Contacts.PutPushName(ctx, lid, "Ana")))

	claim := must[*ledger.Claim](t)(s.Ledger.Begin(ctx, operation, "shop", id, "f"))
	defer claim.Release()
	check(t, storeIntent(ctx, s, claim, ledger.Plan{Chat: chat, Profile: "direct", Message: []byte("m"), Menu: &menus.Menu{
		Buttons: []menus.Button{{ID: "yes", DisplayText: "Yes", Type: "REPLY"}}, Policy: menus.OncePerPerson,
	}}))
	sent := claim.Entry.MessageID
	check(t, s.Ledger.Conclude(ctx, claim, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{}`), ChatLID: chat.LID, SentAt: c.now()}))
	check(t, s.Ledger.Receipt(ctx, "shop", ledger.Receipt{MessageIDs: []string{sent}, State: ledger.Read, Member: chat.LID}))
	must[ledger.Entry](t)(s.Ledger.MessageForRetry(ctx, "shop", chat.LID, sent))
	must[[]menus.Menu](t)(s.Menus.Live(ctx, "shop", chat, c.now()))
	check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "in-" + id, Chat: chat, Sender: chat.LID, Body: []byte("m"), SentAt: c.now(),
		Timer: &inbox.Timer{Seconds: 86_400, SetAt: c.now()}}))
	if press(t, s, sent, "click-"+id, c.now(), chat.JID, chat.LID).Click.N != 1 {
		t.Fatalf("the click on %s was not taken", sent)
	}
	check(t, s.Registry.PutPause(ctx, registry.Pause{Instance: "shop", Reason: "locked", Since: c.now(), Until: c.now().Add(time.Hour)}))
}

func secondOf(_ bool, s string, err error) (string, error) { return s, err }

// small lists tables with a row for each instance, subscriber or stream: reading a whole one is as
// good as an index, and sometimes intended.
var small = []string{"tapnode_instances", "tapnode_subscribers", "tapnode_event_floors", "tapnode_meta", "tapnode_sequence", "tapnode_pauses"}

// TestEveryQueryHasItsIndex: no query reads a whole table to find some rows. Counting
// reads a whole index, and does so every quarter of an hour.
func TestEveryQueryHasItsIndex(t *testing.T) {
	c := newClock()
	ctx := t.Context()
	opt := store.Options{Now: c.now, Dir: t.TempDir()}
	check(t, must[*store.Store](t)(store.Open(ctx, opt)).Close()) // migrations may read whole tables
	s := must[*store.Store](t)(store.Open(ctx, opt))
	defer s.Close()
	must[registry.Instance](t)(s.Registry.Create(ctx, "shop"))
	must[[]byte](t)(host(ctx, s))
	oneMenu(t, s, pair(t, s.Devices.NewDevice(), 1), c, 0, 0)
	acknowledge(t, s)
	for _, f := range []outbox.Filter{{Types: []string{clicked}}, {Instances: []string{"shop"}}, {Types: []string{clicked}, Instances: []string{"shop"}}} {
		must[[]outbox.Event](t)(s.Outbox.Read(ctx, nil, f, 10))
	}
	must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", "0-0"))
	must[[]registry.Pause](t)(s.Registry.Pauses(ctx, "shop"))
	must[bool](t)(s.Inbox.Wrote(ctx, "shop", ada))
	check(t, claimLease(t, s, "shop", 1))
	check(t, s.Sweep(ctx))
	check(t, s.Registry.Delete(ctx, "shop"))

	plans := must[map[string][]string](t)(s.DB.Plans(ctx, "tapnode_"))
	if len(plans) < 40 {
		t.Errorf("only %d queries were seen", len(plans))
	}
	for query, plan := range plans {
		for _, step := range plan {
			table, scan := strings.CutPrefix(step, "SCAN tapnode_")
			if !scan || strings.Contains(step, "USING COVERING INDEX") || strings.HasPrefix(query, "SELECT count(*) FROM tapnode_") {
				continue
			}
			if table, _, _ = strings.Cut(table, " "); !slices.Contains(small, "tapnode_"+table) {
				t.Errorf("%s\n\t%s", query, strings.Join(plan, "\n\t"))
			}
		}
	}
}
