package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
)

var clicks = outbox.Filter{Types: []string{clicked}}

// feed returns a Feed of a subscriber that continues from a cursor.
func feed(t *testing.T, s *store.Store, cursor []byte, share, most int) *outbox.Feed {
	t.Helper()
	from, resumed, err := s.Outbox.Subscribe(t.Context(), "host", clicks, cursor)
	if err != nil || !resumed {
		t.Fatalf("subscribe: resumed %v, %v", resumed, err)
	}
	return must[*outbox.Feed](t)(s.Outbox.Feed(from, clicks, share, most))
}

// TestFeedTakesTurns: the events of a quiet instance come after a few of a busy one's many, whether
// those were stored before the feed began or arrive while it runs.
func TestFeedTakesTurns(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		n := 0
		more := func(instance string, times int) {
			for range times {
				n++
				appendAll(t, s, event(clicked, instance, fmt.Sprint(n)))
			}
		}
		more("busy", 250)
		more("quiet", 1)
		f := feed(t, s, nil, 8, 1000)
		until := func(instance string) (given int) {
			t.Helper()
			for {
				e, ok, err := f.Next(t.Context())
				if err != nil || !ok {
					t.Fatalf("after %d events: %v, %v", given, ok, err)
				}
				if given++; e.Instance == instance {
					return given
				}
			}
		}
		if got := until("quiet"); got > 10 {
			t.Errorf("the quiet instance came as number %d", got)
		}
		more("busy", 250)
		more("quiet", 1)
		if got := until("quiet"); got > 3 {
			t.Errorf("while others wait, the quiet instance came as number %d", got)
		}
		more("busy", 1)
		for i := until("busy"); i < 500-10; i++ {
			until("busy")
		}
		if got := len(f.Cursor()); got > 16+1+len("busy")+8 {
			t.Errorf("the cursor has %d bytes", got)
		}
	})
}

// TestFeedLeavesRoom: however many events a busy instance has, part of the window stays free for
// the next events of another instance; the busy one continues with the next acknowledgement.
func TestFeedLeavesRoom(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		s := open()
		for n := range 100 {
			appendAll(t, s, event(clicked, "busy", fmt.Sprint(n)))
		}
		const most = 56
		f := feed(t, s, nil, 8, most)
		var given []outbox.Event
		all := func() (instances []string) {
			for {
				e, ok, err := f.Next(t.Context())
				check(t, err)
				if !ok {
					return instances
				}
				given = append(given, e)
				instances = append(instances, e.Instance)
			}
		}
		if n := len(all()); n != most {
			t.Errorf("%d of the busy instance are on the way", n)
		}
		appendAll(t, s, event(clicked, "busy", "100"), event(clicked, "quiet", "101"))
		if got := all(); !slices.Equal(got, []string{"quiet"}) {
			t.Errorf("%q came into the room that was left", got)
		}
		select {
		case <-f.Room():
			t.Error("there is room before an acknowledgement")
		default:
		}
		f.Acked(given[2].Cursor)
		select {
		case <-f.Room():
		default:
			t.Error("an acknowledgement made no room")
		}
		if got := all(); !slices.Equal(got, []string{"busy", "busy"}) {
			t.Errorf("%q came after three acknowledgements, of which the quiet instance took one", got)
		}
	})
}

// TestFeedForgetsNothing: events of many instances are read in turns, partly acknowledged, freed,
// and read again from the last stored cursor. Each is stored once, in the order of its instance.
func TestFeedForgetsNothing(t *testing.T) {
	c := newClock()
	opt := store.Options{Now: c.now, Retention: store.Retention{Acknowledged: time.Millisecond}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		s := open()
		rnd := rand.New(rand.NewPCG(8, 26)) //nolint:gosec // a test's seed
		sent, stored := map[string]int{}, map[string]int{}
		events := func(times int) {
			for range times {
				instance := fmt.Sprintf("i%d", rnd.IntN(1+rnd.IntN(90))) // more than may be put aside
				sent[instance]++
				appendAll(t, s, event(clicked, instance, fmt.Sprintf("%s/%d", instance, sent[instance])))
			}
		}
		var cursor []byte
		all := 0
		for round := range 60 {
			if round < 40 {
				events(rnd.IntN(40))
			}
			f := feed(t, s, cursor, 1+rnd.IntN(3), 1+rnd.IntN(120))
			var window []outbox.Event
			for range rnd.IntN(120) {
				e, ok, err := f.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !ok {
					break
				}
				window = append(window, e)
				if rnd.IntN(4) > 0 {
					continue
				}
				n := rnd.IntN(len(window)) + 1
				for _, e := range window[:n] {
					all++
					if stored[e.Instance]++; e.ID != fmt.Sprintf("%s/%d", e.Instance, stored[e.Instance]) {
						t.Fatalf("round %d: %s came as number %d of its instance", round, e.ID, stored[e.Instance])
					}
				}
				cursor = window[n-1].Cursor
				window = window[n:]
				f.Acked(cursor)
				check(t, s.Outbox.Ack(t.Context(), "host", cursor))
			}
			if rnd.IntN(5) == 0 {
				c.add(5 * time.Millisecond)
				check(t, s.Sweep(t.Context()))
			}
		}
		f := feed(t, s, cursor, 1, 1)
		for {
			e, ok, err := f.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			f.Acked(e.Cursor)
			all++
			if stored[e.Instance]++; e.ID != fmt.Sprintf("%s/%d", e.Instance, stored[e.Instance]) {
				t.Fatalf("at last: %s came as number %d of its instance", e.ID, stored[e.Instance])
			}
		}
		total := 0
		for instance, n := range sent {
			if total += n; stored[instance] != n {
				t.Errorf("%s: %d of %d", instance, stored[instance], n)
			}
		}
		if all != total || total < 500 {
			t.Errorf("%d of %d", all, total)
		}
	})
}

// TestGapOfAnInstanceThatIsBehind: events that were removed before their turn came are reported as
// lost, even if the scan has passed them.
func TestGapOfAnInstanceThatIsBehind(t *testing.T) {
	c := newClock()
	opt := store.Options{Now: c.now, Retention: store.Retention{Events: 24 * time.Hour}}
	onEach(t, opt, func(t *testing.T, open func() *store.Store) {
		s := open()
		for i := range 5 {
			appendAll(t, s, event(clicked, "busy", fmt.Sprint("b", i)))
		}
		f := feed(t, s, nil, 1, 8)
		var e outbox.Event
		for range 2 {
			e, _, _ = f.Next(t.Context())
		}
		c.add(48 * time.Hour)
		check(t, s.Sweep(t.Context()))
		if _, resumed, err := s.Outbox.Subscribe(t.Context(), "host", clicks, e.Cursor); resumed || err != nil {
			t.Errorf("resumed %v, %v; want that events are lost", resumed, err)
		}
	})
}
