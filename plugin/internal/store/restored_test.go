package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

// A host that is restored from an older copy gets again what it had acknowledged since, as long as
// that is kept; a new host does not.
func TestRestoredHost(t *testing.T) {
	c := newClock()
	opt := store.Options{Now: c.now, Retention: store.Retention{Acknowledged: 2 * day}, Limits: store.Limits{Acknowledged: 4}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		read := func(name string, cursor []byte, f outbox.Filter) (got []string, last []byte, resumed bool) {
			t.Helper()
			from, resumed, err := s.Outbox.Subscribe(ctx, name, f, cursor)
			check(t, err)
			got, last = ids(t, s, from, f)
			return got, last, resumed
		}
		clicks := outbox.Filter{Types: []string{clicked}}
		read("host", nil, clicks)
		appendAll(t, s, event(clicked, "a", "1"), event(clicked, "b", "2"))
		_, backup, _ := read("host", nil, clicks)
		check(t, s.Outbox.Ack(ctx, "host", backup))
		c.add(day)
		appendAll(t, s, event(clicked, "a", "3"), event(clicked, "b", "4"))
		_, newest := ids(t, s, backup, clicks)
		check(t, s.Outbox.Ack(ctx, "host", newest))
		check(t, s.Sweep(ctx))

		if got, _, resumed := read("host", backup, clicks); !resumed || !slices.Equal(got, []string{"3", "4"}) {
			t.Errorf("the restored host gets %v (resumed %v), want 3 and 4", got, resumed)
		}
		check(t, s.Outbox.Ack(ctx, "host", newest))
		for _, f := range []outbox.Filter{clicks, {Types: []string{clicked}, Instances: []string{"a"}}} {
			name := fmt.Sprint("new ", f.Instances)
			if got, _, resumed := read(name, nil, f); !resumed || len(got) > 0 {
				t.Errorf("a new subscriber to %v gets %v (resumed %v), which others have acknowledged", f.Instances, got, resumed)
			}
			check(t, s.Outbox.Unsubscribe(ctx, name))
		}
		if got, _, _ := read("everything", nil, outbox.Filter{}); len(got) != 4 {
			t.Errorf("one who wants more than the others gets %v of what is kept", got)
		}
		check(t, s.Outbox.Unsubscribe(ctx, "everything"))

		appendAll(t, s, event(clicked, "a", "5")) // one too many: the oldest acknowledged event is removed
		check(t, s.Sweep(ctx))
		if got, _ := ids(t, s, nil, clicks); !slices.Equal(got, []string{"2", "3", "4", "5"}) {
			t.Errorf("over the limit: %v are left, want the newest four", got)
		}
		c.add(3 * day)
		check(t, s.Sweep(ctx))
		if got, _, resumed := read("host", backup, clicks); resumed || !slices.Equal(got, []string{"5"}) {
			t.Errorf("after the retention: %v (resumed %v), want 5 and to be told of the gap", got, resumed)
		}
	})
}

// A store that is an older copy of the one that a host has read from stores no new event before the
// host's cursor.
func TestRestoredStore(t *testing.T) {
	c := newClock()
	onEach(t, store.Options{Now: c.now}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		clicks := outbox.Filter{Types: []string{clicked}}
		appendAll(t, s, event(clicked, "a", "1"))
		_, last := ids(t, s, nil, clicks)
		ahead := slices.Clone(last)
		ahead[len(ahead)-2] += 50 // 12,800 events that are not in this copy
		check(t, s.Close())
		s = open()
		appendAll(t, s, event(clicked, "a", "2"))
		from, resumed, err := s.Outbox.Subscribe(ctx, "host", clicks, ahead)
		check(t, err)
		if got, _ := ids(t, s, from, clicks); !resumed || !slices.Equal(got, []string{"2"}) {
			t.Errorf("the host gets %v (resumed %v), want the new event", got, resumed)
		}
		ahead[len(ahead)-4]++ // 16 million: more than a start skips
		from, resumed, err = s.Outbox.Subscribe(ctx, "host", clicks, ahead)
		check(t, err)
		if got, _ := ids(t, s, from, clicks); resumed || !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("the host gets %v (resumed %v), want everything, and to be told", got, resumed)
		}
	})
}
