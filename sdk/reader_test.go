package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// scripted is a reader with one event and the behaviour that the test sets.
type scripted struct {
	event sdk.Event
	next  func() error
	ack   func() error
	given bool
}

func (s *scripted) Resumed() bool                     { return false }
func (s *scripted) Close() error                      { panic("close") } // must not matter
func (s *scripted) Ack(context.Context, []byte) error { return s.ack() }
func (s *scripted) Next(ctx context.Context) (sdk.Event, error) {
	if !s.given {
		s.given = true
		return s.event, s.next()
	}
	<-ctx.Done()
	return sdk.Event{}, ctx.Err()
}

func TestAReaderThatFailsEndsItsStreamOnly(t *testing.T) {
	good := sdk.Event{ID: "1", Type: "demo.e.v1", Data: sdk.JSON(`{}`)}
	fine := func() error { return nil }
	tests := []struct {
		name   string
		reader sdk.Reader
	}{
		{"Next fails", &scripted{event: good, next: func() error { return errors.New("disk on fire") }, ack: fine}},
		{"Next panics", &scripted{event: good, next: func() error { panic("next") }, ack: fine}},
		{"Ack fails", &scripted{event: good, next: fine, ack: func() error { return errors.New("disk on fire") }}},
		{"Ack panics", &scripted{event: good, next: fine, ack: func() error { panic("ack") }}},
		{"no id", &scripted{event: sdk.Event{Type: "demo.e.v1"}, next: fine, ack: fine}},
		{"no type", &scripted{event: sdk.Event{ID: "1"}, next: fine, ack: fine}},
		{"no reader", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Operations: []sdk.Offer{sdk.Trigger{
				ID: "demo.t@1", Open: func(context.Context, sdk.Subscription) (sdk.Reader, error) { return tt.reader, nil },
			}}})
			if err := c.Configure(within(t), sdk.Setup{StateDir: t.TempDir()}); err != nil {
				t.Fatal(err)
			}
			err := func() error {
				s, err := c.Subscribe(within(t), client.Start{Operation: "demo.t@1", Subscriber: "x"})
				if err != nil {
					return err
				}
				if s.Ready.Resumed {
					t.Error("ready says resumed")
				}
				for {
					e, err := s.Recv()
					if err != nil {
						return err
					}
					if err := s.Ack(e.Sequence); err != nil {
						return err
					}
				}
			}()
			wantCode(t, err, codes.Internal)
			if _, err := c.Describe(within(t)); err != nil {
				t.Errorf("the process: %v", err)
			}
		})
	}
}

// filtering is a reader that returns what the test gives it, and records the acks.
type filtering struct {
	events chan sdk.Event
	acked  chan string
}

func (f *filtering) Resumed() bool { return true }
func (f *filtering) Close() error  { return nil }
func (f *filtering) Ack(_ context.Context, cursor []byte) error {
	f.acked <- string(cursor)
	return nil
}
func (f *filtering) Next(ctx context.Context) (sdk.Event, error) {
	select {
	case e := <-f.events:
		return e, nil
	case <-ctx.Done():
		return sdk.Event{}, ctx.Err()
	}
}

// Events that a filter leaves out are acknowledged as soon as every event before them is, and the
// host is told how far that is.
func TestProgress(t *testing.T) {
	f := &filtering{events: make(chan sdk.Event, 10), acked: make(chan string, 10)}
	c := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Operations: []sdk.Offer{sdk.Trigger{
		ID: "demo.t@1", Open: func(context.Context, sdk.Subscription) (sdk.Reader, error) { return f, nil },
	}}})
	if err := c.Configure(within(t), sdk.Setup{StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	progress := make(chan string, 10)
	s, err := c.Subscribe(within(t), client.Start{Operation: "demo.t@1", Subscriber: "x", Window: 1,
		Progress: func(cursor []byte) { progress <- string(cursor) }})
	if err != nil {
		t.Fatal(err)
	}
	event := func(cursor string) sdk.Event {
		return sdk.Event{ID: cursor, Type: "demo.e.v1", Data: sdk.JSON(`{}`), Cursor: []byte(cursor)}
	}
	skipped := func(cursor string) sdk.Event { return sdk.Event{Cursor: []byte(cursor)} }
	want := func(from <-chan string, what, cursor string) {
		t.Helper()
		select {
		case got := <-from:
			if got != cursor {
				t.Errorf("%s %s, want %s", what, got, cursor)
			}
		case <-within(t).Done():
			t.Fatalf("no %s", what)
		}
	}
	got := make(chan sdk.Event)
	go func() {
		defer close(got)
		for {
			e, err := s.Recv()
			if err != nil {
				return
			}
			got <- e
		}
	}()
	f.events <- skipped("3") // nothing is unacknowledged: at once
	want(f.acked, "ack", "3")
	want(progress, "progress", "3")
	f.events <- event("4")
	f.events <- skipped("6")
	e := <-got
	if e.ID != "4" || e.Sequence != 1 {
		t.Errorf("got %+v", e)
	}
	f.events <- skipped("7") // and the newest replaces the others
	if err := s.Ack(1); err != nil {
		t.Fatal(err)
	}
	want(f.acked, "ack", "4")
	for last := ""; last != "7"; { // 6 may come separately
		select {
		case last = <-f.acked:
		case <-within(t).Done():
			t.Fatal("what was skipped behind the event is never acknowledged")
		}
		want(progress, "progress", last)
	}
	cursor, err := s.Stop(within(t))
	if err != nil || string(cursor) != "7" {
		t.Errorf("stopped at %s, %v; want 7", cursor, err)
	}
	for range got {
	}
}

// A reader that has caught up says so once, and for single subjects any number of times, in the
// order of its events. That acknowledges nothing and takes no place in the window.
func TestCaughtUp(t *testing.T) {
	f := &filtering{events: make(chan sdk.Event, 10), acked: make(chan string, 10)}
	c := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Features: []string{sdk.FeatureCaughtUp}, Operations: []sdk.Offer{sdk.Trigger{
		ID: "demo.t@1", Open: func(context.Context, sdk.Subscription) (sdk.Reader, error) { return f, nil },
	}}})
	if err := c.Configure(within(t), sdk.Setup{StateDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	var heard []string
	s, err := c.Subscribe(within(t), client.Start{Operation: "demo.t@1", Subscriber: "x", Window: 2,
		Progress: func(cursor []byte) { heard = append(heard, string(cursor)) },
		CaughtUp: func() { heard = append(heard, "caught up") },
		Behind:   func(subject string, behind bool) { heard = append(heard, fmt.Sprint(subject, " ", behind)) }})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []sdk.Event{
		{Subject: "shop", Behind: true},
		{ID: "1", Type: "demo.e.v1", Data: sdk.JSON(`{}`), Cursor: []byte("1")}, {CaughtUp: true}, {Subject: "shop", CaughtUp: true},
		{ID: "2", Type: "demo.e.v1", Data: sdk.JSON(`{}`), Cursor: []byte("2")},
	} {
		f.events <- e
	}
	for range 2 {
		e, err := s.Recv()
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, e.ID)
	}
	if got := strings.Join(heard, ", "); got != "shop true, 1, caught up, shop false, 2" {
		t.Errorf("heard %s", got)
	}
	if len(f.acked) != 0 {
		t.Errorf("%s was acknowledged", <-f.acked)
	}
}
