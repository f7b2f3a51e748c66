package store_test

import (
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/plugin/internal/recipient"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

func TestPauses(t *testing.T) {
	clock := newClock()
	onEach(t, store.Options{Now: clock.now}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		for _, name := range []string{"a", "b"} {
			must[registry.Instance](t)(s.Registry.Create(ctx, name))
		}
		pause := func(instance, reason string, d time.Duration) {
			check(t, s.Registry.PutPause(ctx, registry.Pause{Instance: instance, Reason: reason, Since: clock.now(), Until: clock.now().Add(d)}))
		}
		list := func(instance string) (all []string) {
			for _, p := range must[[]registry.Pause](t)(open().Registry.Pauses(ctx, instance)) {
				all = append(all, p.Instance+" "+p.Reason)
			}
			return all
		}
		want := func(got []string, want ...string) {
			t.Helper()
			if len(got) != len(want) {
				t.Fatalf("pauses %v, want %v", got, want)
			}
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("pauses %v, want %v", got, want)
				}
			}
		}
		pause("a", "locked", time.Hour)
		pause("a", "capped", 2*time.Hour)
		pause("b", "locked", 3*time.Hour)
		pause("nobody", "locked", time.Hour)
		want(list(""), "a capped", "a locked", "b locked")
		pause("a", "locked", 4*time.Hour) // extended
		want(list("a"), "a locked", "a capped")
		clock.add(150 * time.Minute)
		want(list(""), "a locked", "b locked")
		check(t, s.Sweep(ctx))
		check(t, s.Registry.EndPause(ctx, "b", "capped"))
		want(list("b"), "b locked")
		check(t, s.Registry.EndPause(ctx, "b", ""))
		want(list("b"))
		check(t, s.Registry.Delete(ctx, "a"))
		want(list(""))
	})
}

func TestWhoWroteFirst(t *testing.T) {
	clock := newClock()
	onEach(t, store.Options{Now: clock.now}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		bob, team := recipient.Chat{JID: "2@s.whatsapp.net", LID: "22@lid"}, recipient.Chat{JID: "1-1@g.us"}
		check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "1", Body: []byte("m"), Chat: recipient.Chat{JID: ada.JID, LID: "1@lid"}, Sender: "1@lid"}))
		check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "2", Body: []byte("m"), Chat: bob, Sender: "9@lid", FromMe: true}))
		check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "3", Body: []byte("m"), Chat: team, Sender: bob.LID}))
		wrote := func(instance string, c recipient.Chat) bool {
			return must[bool](t)(s.Inbox.Wrote(ctx, instance, c))
		}
		if !wrote("shop", ada) || !wrote("shop", recipient.Chat{LID: "1@lid"}) {
			t.Error("Ada has written and is not known, by one of her names")
		}
		if wrote("shop", bob) || wrote("shop", recipient.Chat{}) || wrote("other", ada) {
			t.Error("somebody is known who has not written")
		}
		clock.add(20 * 30 * 24 * time.Hour)
		check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "4", Body: []byte("m"), Chat: ada, Sender: ada.JID}))
		clock.add(20 * 30 * 24 * time.Hour)
		check(t, s.Sweep(ctx))
		if !wrote("shop", ada) || wrote("shop", recipient.Chat{LID: "1@lid"}) {
			t.Error("the memory is not as long as the retention")
		}
	})
}
