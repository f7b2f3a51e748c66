package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
)

// sendMenu stores a menu of one button, sent to chat, that lives for ttl (0: while it is stored),
// and returns its message id.
func sendMenu(t *testing.T, s *store.Store, key string, chat recipient.Chat, button string, expires time.Time) string {
	t.Helper()
	c := begin(t, s, key, "f")
	defer c.Release()
	check(t, storeIntent(t.Context(), s, c, ledger.Plan{Chat: chat, Message: []byte("m"), Menu: &menus.Menu{
		Buttons: []menus.Button{{ID: button, DisplayText: button, Type: "REPLY"}}, ExpiresAt: expires, Source: "crm",
	}}))
	return c.Entry.MessageID
}

func TestLiveMenus(t *testing.T) {
	c := newClock()
	onEach(t, store.Options{Now: c.now}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		pn, lid := recipient.Chat{JID: "1@s.whatsapp.net"}, recipient.Chat{LID: "1@lid"}
		both := recipient.Chat{JID: pn.JID, LID: lid.LID}
		expired := sendMenu(t, s, "expired", both, "yes", c.now().Add(time.Minute))
		c.add(time.Hour)
		byPhone := sendMenu(t, s, "phone", pn, "yes", time.Time{})
		c.add(time.Second)
		byLID := sendMenu(t, s, "lid", lid, "no", c.now().Add(time.Hour))
		c.add(time.Second)
		byBoth := sendMenu(t, s, "both", both, "yes", time.Time{})
		sendMenu(t, s, "stranger", recipient.Chat{JID: "2@s.whatsapp.net"}, "yes", time.Time{})
		sendMenu(t, s, "nameless", recipient.Chat{}, "yes", time.Time{})

		list := func(chat recipient.Chat, at time.Time) (out []string) {
			for _, m := range must[[]menus.Menu](t)(s.Menus.Live(ctx, "shop", chat, at)) {
				out = append(out, m.MessageID)
			}
			return out
		}
		for _, tc := range []struct {
			name string
			chat recipient.Chat
			at   time.Time
			want []string
		}{
			{"by phone", pn, c.now(), []string{byBoth, byPhone}},
			{"by LID", lid, c.now(), []string{byBoth, byLID}},
			{"by both, each once", both, c.now(), []string{byBoth, byLID, byPhone}},
			{"as of an hour ago", both, c.now().Add(-time.Hour), []string{byBoth, byLID, byPhone, expired}},
			{"by nothing", recipient.Chat{}, c.now(), nil},
		} {
			if got := list(tc.chat, tc.at); !slices.Equal(got, tc.want) {
				t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
			}
		}
		// A quote still finds an expired menu: the flow decides how to handle a late click.
		m := must[menus.Menu](t)(s.Menus.Get(ctx, "shop", expired))
		if !m.ExpiresAt.Before(c.now()) || m.Source != "crm" || m.Buttons[0].ID != "yes" {
			t.Errorf("expired menu: %+v", m)
		}
	})
}

// TestMenusOfOneSecond: the server's time is in whole seconds; people are faster.
func TestMenusOfOneSecond(t *testing.T) {
	c := newClock()
	onEach(t, store.Options{Now: c.now}, func(t *testing.T, open func() *store.Store) {
		s := open()
		var newest string
		for i := range 5 {
			c.add(time.Millisecond)
			newest = sendMenu(t, s, fmt.Sprint(i), ada, "yes", time.Time{})
			claim := begin(t, s, fmt.Sprint(i), "f")
			check(t, s.Ledger.Conclude(t.Context(), claim, ledger.Outcome{State: ledger.Sent, JSON: []byte("{}"), SentAt: c.now().Truncate(time.Second)}))
			claim.Release()
		}
		if menus := must[[]menus.Menu](t)(s.Menus.Live(t.Context(), "shop", ada, c.now())); menus[0].MessageID != newest {
			t.Errorf("the newest is %+v", menus[0])
		}
	})
}

func TestLiveMenusAreTheNewest(t *testing.T) {
	c := newClock()
	onEach(t, store.Options{Now: c.now}, func(t *testing.T, open func() *store.Store) {
		s := open()
		var newest string
		for i := range 60 {
			c.add(time.Second)
			newest = sendMenu(t, s, fmt.Sprint(i), ada, "yes", time.Time{})
		}
		menus := must[[]menus.Menu](t)(s.Menus.Live(t.Context(), "shop", ada, c.now()))
		if len(menus) != 50 || menus[0].MessageID != newest {
			t.Errorf("%d menus, the first is %v", len(menus), menus[0])
		}
	})
}
