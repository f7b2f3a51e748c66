package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/menus"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

const (
	clicked  = "whatsapp.button.clicked.v1"
	received = "whatsapp.message.received.v1"
)

func event(kind, instance, id string) outbox.Event {
	return outbox.Event{ID: id, Type: kind, Instance: instance, Data: []byte(`"` + id + `"`), Time: time.UnixMilli(1234).UTC()}
}

func appendAll(t *testing.T, s *store.Store, events ...outbox.Event) {
	t.Helper()
	for _, e := range events {
		must[appended](t)(appendEvent(t.Context(), s, e))
	}
}

// ids reads everything after cursor.
func ids(t *testing.T, s *store.Store, cursor []byte, f outbox.Filter) (out []string, last []byte) {
	t.Helper()
	last = cursor
	for _, e := range must[[]outbox.Event](t)(s.Outbox.Read(t.Context(), cursor, f, 1000)) {
		out, last = append(out, e.ID), e.Cursor
	}
	return out, last
}

func TestEventsAreReadInOrderByFilter(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		appendAll(t, s, event(clicked, "a", "1"), event(received, "a", "2"), event(clicked, "b", "3"), event(clicked, "a", "4"))
		for _, tc := range []struct {
			filter outbox.Filter
			want   []string
		}{
			{outbox.Filter{}, []string{"1", "2", "3", "4"}},
			{outbox.Filter{Types: []string{clicked}}, []string{"1", "3", "4"}},
			{outbox.Filter{Types: []string{clicked}, Instances: []string{"a"}}, []string{"1", "4"}},
			{outbox.Filter{Instances: []string{"b", "c"}}, []string{"3"}},
			{outbox.Filter{Types: []string{"x"}}, nil},
		} {
			if got, _ := ids(t, s, nil, tc.filter); !slices.Equal(got, tc.want) {
				t.Errorf("%+v: %v, want %v", tc.filter, got, tc.want)
			}
		}
		first := must[[]outbox.Event](t)(s.Outbox.Read(t.Context(), nil, outbox.Filter{}, 1))
		want := event(clicked, "a", "1")
		want.Cursor = first[0].Cursor
		if fmt.Sprint(first[0]) != fmt.Sprint(want) {
			t.Errorf("got %+v\nwant %+v", first[0], want)
		}
		if got, _ := ids(t, open(), first[0].Cursor, outbox.Filter{}); !slices.Equal(got, []string{"2", "3", "4"}) {
			t.Errorf("after a restart: %v", got)
		}
	})
}

// TestOtherIdsOfAnEvent: an event is stored once under all of its ids, including those that a
// repeat adds.
func TestOtherIdsOfAnEvent(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		for _, step := range []struct {
			id, also  string
			duplicate bool
		}{
			{"lid", "number", false},
			{"number", "", true},
			{"lid", "older", true}, // and "older" is recorded
			{"older", "oldest", true},
			{"oldest", "other", true},
			{"another", "", false},
		} {
			e := event(received, "shop", step.id)
			if step.also != "" {
				e.Also = []string{step.also}
			}
			if got := must[appended](t)(appendEvent(t.Context(), s, e)); got.Duplicate != step.duplicate {
				t.Errorf("%s, also %q: duplicate %v", step.id, step.also, got.Duplicate)
			}
		}
		if got, _ := ids(t, s, nil, outbox.Filter{}); !slices.Equal(got, []string{"lid", "another"}) {
			t.Errorf("stored %v", got)
		}
	})
}

func TestClickIsCountedOnce(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		menu := intend(t, s, "k").Entry.MessageID
		click := func(id string) appended {
			return must[appended](t)(appendClick(ctx, s, outbox.Event{ID: id, Type: clicked, Instance: "shop"}, menus.Press{MessageID: menu},
				func(c menus.Count) ([]byte, error) { return json.Marshal(map[string]int{"n": c.N}) }))
		}
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { click(fmt.Sprint(i % 10)) })
		}
		wg.Wait()
		if got := click("0"); !got.Duplicate {
			t.Errorf("redelivery: %+v, want a duplicate", got)
		}
		if got := click("late"); got.Click.N != 11 {
			t.Errorf("next click is number %d, want 11", got.Click.N)
		}
		var numbers []int
		for _, e := range must[[]outbox.Event](t)(s.Outbox.Read(ctx, nil, outbox.Filter{}, 100)) {
			var data struct{ N int }
			check(t, json.Unmarshal(e.Data, &data))
			numbers = append(numbers, data.N)
		}
		if !slices.Equal(numbers, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) {
			t.Errorf("numbers in the order of events: %v", numbers)
		}
	})
}

func TestClickThatCannotBeDescribedLeavesNothing(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		menu := intend(t, s, "k").Entry.MessageID
		e := outbox.Event{ID: "1", Type: clicked, Instance: "shop"}
		for name, data := range map[string]func(menus.Count) ([]byte, error){
			"error": func(menus.Count) ([]byte, error) { return nil, errors.New("broken") },
			"panic": func(menus.Count) ([]byte, error) { panic("broken") },
		} {
			if _, err := appendClick(ctx, s, e, menus.Press{MessageID: menu}, data); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		got := must[appended](t)(appendClick(ctx, s, e, menus.Press{MessageID: menu}, func(menus.Count) ([]byte, error) { return []byte(`{}`), nil }))
		if got.Duplicate || got.Click.N != 1 {
			t.Errorf("after two failures: %+v, want the first click", got)
		}
		none := must[appended](t)(appendClick(ctx, s, outbox.Event{ID: "2", Type: clicked}, menus.Press{MessageID: "unknown"}, func(menus.Count) ([]byte, error) { return []byte(`{}`), nil }))
		if none.Click.N != 0 {
			t.Errorf("without a menu: number %d, want 0", none.Click.N)
		}
	})
}

func TestChangedWakesReaders(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		woken := make(chan struct{})
		changed := s.Outbox.Changed(clicked)
		go func() { <-changed; close(woken) }()
		appendAll(t, s, event(clicked, "a", "1"))
		<-woken
		check(t, s.Close())
		<-s.Outbox.Changed(clicked)
		if _, err := appendEvent(t.Context(), s, event(clicked, "a", "2")); !errors.Is(err, sqldb.ErrClosed) {
			t.Errorf("append to a closed store: %v, want closed", err)
		}
	})
}

func TestSubscriptions(t *testing.T) {
	c := newClock()
	opt := store.Options{Now: c.now, Limits: store.Limits{Subscribers: 2}, Retention: store.Retention{Events: 14 * 24 * time.Hour, Acknowledged: time.Millisecond}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		sub := func(name string, cursor []byte, f outbox.Filter) (from []byte, resumed bool) {
			t.Helper()
			from, resumed, err := s.Outbox.Subscribe(ctx, name, f, cursor)
			if err != nil {
				t.Fatal(err)
			}
			return from, resumed
		}
		sweep := func() { // after the retention of acknowledged events
			t.Helper()
			c.add(5 * time.Millisecond)
			check(t, s.Sweep(ctx))
		}
		clicks := outbox.Filter{Types: []string{clicked}}
		appendAll(t, s, event(clicked, "a", "1"), event(received, "a", "2"), event(clicked, "a", "3"))
		sweep()
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 3 {
			t.Errorf("events were freed before anybody subscribed: %v", got)
		}

		from, resumed := sub("host-1", nil, clicks)
		got, last := ids(t, s, from, clicks)
		if !resumed || !slices.Equal(got, []string{"1", "3"}) {
			t.Errorf("first subscription: resumed %v, %v", resumed, got)
		}
		sub("host-2", nil, outbox.Filter{})
		if _, _, err := s.Outbox.Subscribe(ctx, "host-3", clicks, nil); !errors.Is(err, sqldb.ErrLimit) {
			t.Errorf("third subscriber: %v, want the limit", err)
		}
		check(t, s.Outbox.Ack(ctx, "host-1", last))
		sweep()
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 3 {
			t.Errorf("freed although host-2 has not acknowledged: %v", got)
		}
		first := must[[]outbox.Event](t)(s.Outbox.Read(ctx, nil, outbox.Filter{}, 1))[0].Cursor
		check(t, s.Outbox.Ack(ctx, "host-2", first))
		sweep()
		if got, _ := ids(t, s, nil, outbox.Filter{}); !slices.Equal(got, []string{"2", "3"}) {
			t.Errorf("after both acknowledged the first: %v left, want 2 and 3", got)
		}
		if dup := must[appended](t)(appendEvent(ctx, s, event(clicked, "a", "1"))); !dup.Duplicate {
			t.Error("a freed event was stored again")
		}

		check(t, s.Outbox.Ack(ctx, "host-1", first)) // before the last one: changes nothing
		if from, resumed := sub("host-1", nil, clicks); !resumed || string(from) != string(last) {
			t.Errorf("reconnect without a cursor: resumed %v, want the last acknowledged", resumed)
		}

		c.add(15 * 24 * time.Hour)
		sweep()
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 0 {
			t.Errorf("after the retention: %v left", got)
		}
		if _, resumed := sub("host-2", first, outbox.Filter{}); resumed {
			t.Error("host-2 was told that nothing is missing")
		}
		if _, resumed := sub("host-1", last, clicks); !resumed {
			t.Error("host-1, which had everything it wants, was told of a gap")
		}
		if _, resumed := sub("host-1", make([]byte, 16), clicks); resumed {
			t.Error("a cursor of another database resumed")
		}
		if _, _, err := s.Outbox.Subscribe(ctx, "host-1", clicks, []byte("x")); !errors.Is(err, outbox.ErrCursor) {
			t.Errorf("broken cursor: %v", err)
		}
		check(t, s.Outbox.Unsubscribe(ctx, "host-2"))
		if err := s.Outbox.Ack(ctx, "host-2", last); !errors.Is(err, sqldb.ErrNotFound) {
			t.Errorf("acknowledgement of a stranger: %v, want not found", err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	s, err := store.Open(f.Context(), store.Options{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Close() })
	f.Add([]byte(nil))
	f.Add(make([]byte, 16))
	f.Add(slices.Repeat([]byte{0xff}, 16))
	f.Add(append(make([]byte, 16), 1, 97, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, cursor []byte) {
		_, err := s.Outbox.Read(t.Context(), cursor, outbox.Filter{}, 1)
		if err != nil && !errors.Is(err, outbox.ErrCursor) {
			t.Errorf("%x: %v", cursor, err)
		}
	})
}
