package sdk_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// scripted is a reader with one event and whatever else the test says.
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
