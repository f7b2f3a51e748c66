package store_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/store"
)

func TestInstances(t *testing.T) {
	c := newClock()
	onEach(t, store.Options{Now: c.now, Limits: store.Limits{Instances: 2}}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		must[store.Instance](t)(s.CreateInstance(ctx, "shop"))
		must[store.Instance](t)(s.CreateInstance(ctx, "bar"))
		if _, err := s.CreateInstance(ctx, "third"); !errors.Is(err, store.ErrLimit) {
			t.Errorf("one too many: %v, want the limit", err)
		}
		check(t, s.SetDevice(ctx, "shop", "5511@s.whatsapp.net:1", "9@lid"))
		check(t, s.SetWanted(ctx, "shop", store.Connected))
		check(t, s.SetState(ctx, "shop", "connected", "login"))

		got := must[store.Instance](t)(s.Instance(ctx, "shop"))
		want := store.Instance{
			Name: "shop", JID: "5511@s.whatsapp.net:1", LID: "9@lid", Wanted: store.Connected,
			State: "connected", Reason: "login", StateAt: c.now(), CreatedAt: c.now(),
		}
		if got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
		all := must[[]store.Instance](t)(s.Instances(ctx))
		if names := slices.Collect(func(yield func(string) bool) {
			for _, i := range all {
				yield(i.Name)
			}
		}); !slices.Equal(names, []string{"bar", "shop"}) {
			t.Errorf("instances: %v", names)
		}

		claim := intend(t, s, "k")
		claim.Release()
		check(t, s.DeleteInstance(ctx, "shop"))
		for what, err := range map[string]error{
			"deleted":        s.DeleteInstance(ctx, "shop"),
			"state":          s.SetState(ctx, "shop", "x", ""),
			"lease":          s.ClaimLease(ctx, "shop", 1),
			"its sends":      errOf(s.Lookup(ctx, operation, "k")),
			"its menus":      errOf(s.Menu(ctx, "shop", claim.Entry.MessageID)),
			"the row itself": errOf(s.Instance(ctx, "shop")),
		} {
			if !errors.Is(err, store.ErrNotFound) {
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
			go func() { _, err := s.CreateInstance(t.Context(), "shop"); errs <- err }()
		}
		created := 0
		for range 8 {
			if err := <-errs; err == nil {
				created++
			} else if !errors.Is(err, store.ErrExists) {
				t.Error(err)
			}
		}
		if created != 1 {
			t.Errorf("%d callers created it, want 1", created)
		}
	})
}

func TestLeaseEpochNeverFalls(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		must[store.Instance](t)(s.CreateInstance(ctx, "shop"))
		for _, step := range []struct {
			epoch uint64
			want  error
		}{{3, nil}, {3, nil}, {2, store.ErrLeaseLost}, {7, nil}, {3, store.ErrLeaseLost}} {
			if err := s.ClaimLease(ctx, "shop", step.epoch); !errors.Is(err, step.want) {
				t.Errorf("epoch %d: %v, want %v", step.epoch, err, step.want)
			}
		}
		if err := s.ClaimLease(ctx, "shop", math.MaxUint64); err == nil {
			t.Error("an epoch below zero in the table was taken")
		}
		if i := must[store.Instance](t)(s.Instance(ctx, "shop")); i.Epoch != 7 {
			t.Errorf("epoch %d, want 7", i.Epoch)
		}
	})
}

func TestInstanceName(t *testing.T) {
	for _, name := range []string{"a", "shop-1", "Loja São João", strings.Repeat("é", 100)} {
		if err := store.ValidInstanceName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "a/b", "a\nb", "\x00", "\xff", strings.Repeat("a", 101)} {
		if err := store.ValidInstanceName(name); err == nil {
			t.Errorf("%q passed", name)
		}
	}
}

func TestMessageID(t *testing.T) {
	id := store.MessageID("shop", operation, "k")
	if id != "3EB0"+strings.ToUpper(id[4:]) || len(id) != 22 {
		t.Errorf("id %q: want 3EB0 and 18 upper-case hex digits", id)
	}
	seen := map[string]string{}
	for _, parts := range [][3]string{{"shop", operation, "k"}, {"sho", "p" + operation, "k"}, {"shop", operation, "k2"}, {"", "", ""}} {
		id := store.MessageID(parts[0], parts[1], parts[2])
		if other, ok := seen[id]; ok {
			t.Errorf("%v and %s share %s", parts, other, id)
		}
		seen[id] = fmt.Sprint(parts)
	}
}
