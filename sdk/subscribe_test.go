package sdk_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

func local(t testing.TB, n *sdk.Node) *client.Client {
	t.Helper()
	c, stop, err := client.Local(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return c
}

func subscribe(t *testing.T, c *client.Client, start client.Start) *client.Subscription {
	t.Helper()
	start.Operation, start.Subscriber = "demo.tick@1", "test"
	s, err := c.Subscribe(within(t), start)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func recv(t *testing.T, s *client.Subscription) sdk.Event {
	t.Helper()
	e, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSubscribe(t *testing.T) {
	d, c := serveOpen(t)
	d.tick(5)
	s := subscribe(t, c, client.Start{Window: 2})
	if !s.Ready.Resumed {
		t.Error("not resumed")
	}
	first, second := recv(t, s), recv(t, s)
	if first.Sequence != 1 || first.ID != "e1" || second.Sequence != 2 || first.Correlation != "c" {
		t.Errorf("got %+v, %+v", first, second)
	}
	third := make(chan sdk.Event, 1)
	go func() {
		e, _ := s.Recv()
		third <- e
	}()
	for range 2 { // a repeated ack changes nothing
		if err := s.Ack(2); err != nil {
			t.Fatal(err)
		}
	}
	if e := <-third; e.ID != "e3" {
		t.Errorf("third %+v", e)
	}
	cursor, err := s.Stop(within(t))
	if err != nil || string(cursor) != "2" {
		t.Fatalf("stopped at %q, %v; want the last acked", cursor, err)
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	s = subscribe(t, c, client.Start{Cursor: cursor})
	if e := recv(t, s); e.ID != "e3" || e.Sequence != 1 {
		t.Errorf("resumed with %+v, want e3 again as the first", e)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.acked, []string{"2"}) {
		t.Errorf("the reader got acks %v", d.acked)
	}
}

func TestSubscribeWindowHolds(t *testing.T) {
	d, c := serveOpen(t)
	d.tick(100)
	s := subscribe(t, c, client.Start{Window: 10})
	for i := range 10 {
		recv(t, s)
		if i == 4 {
			if err := s.Ack(5); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := 10
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := s.Recv(); err != nil {
				return
			}
			got++
		}
	}()
	if _, err := c.Drain(within(t), 0); err != nil {
		t.Fatal(err)
	}
	<-ended
	if got > 15 {
		t.Errorf("%d events came, but 5 acks and a window of 10 allow 15", got)
	}
}

func TestSubscribeIsRefused(t *testing.T) {
	_, c := serveOpen(t)
	good := client.Start{Operation: "demo.tick@1", Subscriber: "test"}
	tests := []struct {
		name   string
		change func(*client.Start)
		want   codes.Code
	}{
		{"unknown", func(s *client.Start) { s.Operation = "demo.none@1" }, codes.NotFound},
		{"action", func(s *client.Start) { s.Operation = "demo.raw@1" }, codes.InvalidArgument},
		{"window", func(s *client.Start) { s.Window = 1001 }, codes.InvalidArgument},
		{"subscriber", func(s *client.Start) { s.Subscriber = "" }, codes.InvalidArgument},
		{"filter", func(s *client.Start) { s.Filter = []byte(`{"from":"x"}`) }, codes.InvalidArgument},
		{"cursor", func(s *client.Start) { s.Cursor = []byte("zebra") }, codes.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := good
			tt.change(&start)
			_, err := c.Subscribe(within(t), start)
			wantCode(t, err, tt.want)
		})
	}
}

func TestSubscribeEnds(t *testing.T) {
	t.Run("ack of what was not sent", func(t *testing.T) {
		_, c := serveOpen(t)
		s := subscribe(t, c, client.Start{})
		if err := s.Ack(7); err != nil {
			t.Fatal(err)
		}
		_, err := s.Recv()
		wantCode(t, err, codes.InvalidArgument)
	})
	t.Run("newest wins", func(t *testing.T) {
		d, c := serveOpen(t)
		old := subscribe(t, c, client.Start{})
		s := subscribe(t, c, client.Start{})
		if _, err := old.Recv(); !errors.Is(err, client.ErrSuperseded) {
			t.Errorf("the old stream ends with %v", err)
		}
		d.tick(1)
		recv(t, s)
	})
	t.Run("drain", func(t *testing.T) {
		_, c := serveOpen(t)
		s := subscribe(t, c, client.Start{Cursor: []byte("4")})
		if _, err := c.Drain(within(t), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the orderly end", err)
		}
	})
	t.Run("host goes", func(t *testing.T) {
		_, c := serveOpen(t)
		ctx, cancel := context.WithCancel(within(t))
		s, err := c.Subscribe(ctx, client.Start{Operation: "demo.tick@1", Subscriber: "test"})
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_, err = s.Recv()
		wantCode(t, err, codes.Canceled)
	})
}
