package store_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/inbox"
	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

func TestInstances(t *testing.T) {
	c := newClock()
	onEach(t, store.Options{Now: c.now, Limits: store.Limits{Instances: 2}}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		must[registry.Instance](t)(s.Registry.Create(ctx, "shop"))
		must[registry.Instance](t)(s.Registry.Create(ctx, "bar"))
		if _, err := s.Registry.Create(ctx, "third"); !errors.Is(err, sqldb.ErrLimit) {
			t.Errorf("one too many: %v, want the limit", err)
		}
		check(t, s.Registry.SetDevice(ctx, "shop", "5511@s.whatsapp.net:1", "9@lid"))
		check(t, s.Registry.SetWanted(ctx, "shop", registry.Connected))
		check(t, s.Registry.SetState(ctx, "shop", "connected", "login"))

		got := must[registry.Instance](t)(s.Registry.Instance(ctx, "shop"))
		want := registry.Instance{
			Name: "shop", JID: "5511@s.whatsapp.net:1", LID: "9@lid", Wanted: registry.Connected,
			State: "connected", Reason: "login", StateAt: c.now(), CreatedAt: c.now(),
		}
		if got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		all := must[[]registry.Instance](t)(s.Registry.Instances(ctx))
		if names := slices.Collect(func(yield func(string) bool) {
			for _, i := range all {
				yield(i.Name)
			}
		}); !slices.Equal(names, []string{"bar", "shop"}) {
			t.Errorf("instances: %v", names)
		}

		claim := intend(t, s, "k")
		claim.Release()
		check(t, s.Registry.Delete(ctx, "shop"))
		for what, err := range map[string]error{
			"deleted":        s.Registry.Delete(ctx, "shop"),
			"state":          s.Registry.SetState(ctx, "shop", "x", ""),
			"lease":          claimLease(t, s, "shop", 1),
			"its sends":      errOf(s.Ledger.Lookup(ctx, operation, "shop", "k")),
			"its menus":      errOf(s.Menus.Get(ctx, "shop", claim.Entry.MessageID)),
			"the row itself": errOf(s.Registry.Instance(ctx, "shop")),
		} {
			if !errors.Is(err, sqldb.ErrNotFound) {
				t.Errorf("%s of a deleted instance: %v, want not found", what, err)
			}
		}
	})
}

func errOf[T any](_ T, err error) error { return err }

func TestInstanceIsUnique(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		errs := make(chan error)
		for range 8 {
			go func() { _, err := s.Registry.Create(t.Context(), "shop"); errs <- err }()
		}
		created := 0
		for range 8 {
			if err := <-errs; err == nil {
				created++
			} else if !errors.Is(err, sqldb.ErrExists) {
				t.Error(err)
			}
		}
		if created != 1 {
			t.Errorf("%d callers created it, want 1", created)
		}
	})
}

func claimLease(t *testing.T, s *store.Store, instance string, epoch uint64) error {
	_, err := s.Registry.ClaimLease(t.Context(), instance, epoch)
	return err
}

func TestLeaseEpochNeverFalls(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		must[registry.Instance](t)(s.Registry.Create(ctx, "shop"))
		for _, step := range []struct {
			epoch uint64
			want  error
		}{{3, nil}, {3, nil}, {2, registry.ErrLeaseLost}, {7, nil}, {3, registry.ErrLeaseLost}} {
			if err := claimLease(t, s, "shop", step.epoch); !errors.Is(err, step.want) {
				t.Errorf("epoch %d: %v, want %v", step.epoch, err, step.want)
			}
		}
		if err := claimLease(t, s, "shop", math.MaxUint64); err == nil {
			t.Error("an epoch below zero in the table was taken")
		}
		if i := must[registry.Instance](t)(s.Registry.Instance(ctx, "shop")); i.Epoch != 7 {
			t.Errorf("epoch %d, want 7", i.Epoch)
		}
	})
}

func TestInstanceName(t *testing.T) {
	for _, name := range []string{"a", "shop-1", "Loja São João", strings.Repeat("é", 100)} {
		if err := registry.ValidInstanceName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "a/b", "a\nb", "\x00", "\xff", strings.Repeat("a", 101)} {
		if err := registry.ValidInstanceName(name); err == nil {
			t.Errorf("%q passed", name)
		}
	}
}

// The data stored under an instance's name belongs to the account it is paired with.
func TestAccountOwnsWhatIsStored(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		first := registry.Account{JID: "5511@s.whatsapp.net"}
		known := registry.Account{JID: "5511@s.whatsapp.net", LID: "11@lid"}
		moved := registry.Account{JID: "5599@s.whatsapp.net", LID: "11@lid"} // a changed number
		other := registry.Account{JID: "5522@s.whatsapp.net", LID: "22@lid"}
		own := func(a registry.Account, want bool) {
			t.Helper()
			if another := must[bool](t)(s.Registry.Own(ctx, "shop", a)); another != want {
				t.Errorf("%+v is another account: %v", a, another)
			}
			if got := must[registry.Instance](t)(s.Registry.Instance(ctx, "shop")); got.Account != a {
				t.Errorf("the account is %+v, want %+v", got.Account, a)
			}
		}
		must[registry.Instance](t)(s.Registry.Create(ctx, "shop"))
		must[registry.Instance](t)(s.Registry.Create(ctx, "bar"))
		claim := intend(t, s, "k") // no owner yet, as in a database of an earlier version
		claim.Release()
		check(t, s.Registry.PutPause(ctx, registry.Pause{Instance: "shop", Reason: "new_chats_locked", Since: time.Now(), Until: time.Now().Add(time.Hour)}))
		check(t, s.Inbox.Put(ctx, inbox.Message{Instance: "shop", ID: "1", Body: []byte("m"), Chat: ada, Sender: ada.JID}))
		own(first, false)
		own(known, false)
		own(moved, false)
		check(t, s.Registry.SetDevice(ctx, "shop", "", "")) // logged out
		own(moved, false)
		must[menus.Menu](t)(s.Menus.Get(ctx, "shop", claim.Entry.MessageID))
		if _, err := s.Ledger.MessageForRetry(ctx, "shop", ada.JID, claim.Entry.MessageID); err != nil {
			t.Errorf("the message of the same account: %v", err)
		}

		own(other, true)
		for what, err := range map[string]error{
			"menu":     errOf(s.Menus.Get(ctx, "shop", claim.Entry.MessageID)),
			"incoming": errOf(s.Inbox.Get(ctx, "shop", "1")),
			"sent":     errOf(s.Ledger.MessageForRetry(ctx, "shop", ada.JID, claim.Entry.MessageID)),
		} {
			if !errors.Is(err, sqldb.ErrNotFound) {
				t.Errorf("the %s of another account: %v, want not found", what, err)
			}
		}
		if e := must[ledger.Entry](t)(s.Ledger.Lookup(ctx, operation, "shop", "k")); len(e.Message) > 0 || e.State != ledger.Intent {
			t.Errorf("the key of another account: %+v", e)
		}
		if pauses := must[[]registry.Pause](t)(s.Registry.Pauses(ctx, "shop")); len(pauses) > 0 {
			t.Errorf("pauses of another account: %+v", pauses)
		}
		if must[bool](t)(s.Inbox.Wrote(ctx, "shop", ada)) {
			t.Error("who wrote to another account counts as having written to this one")
		}
		own(other, false)
		if _, err := s.Registry.Own(ctx, "nobody", other); !errors.Is(err, sqldb.ErrNotFound) {
			t.Errorf("an unknown instance: %v", err)
		}
	})
}
