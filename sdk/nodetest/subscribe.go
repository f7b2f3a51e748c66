package nodetest

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
	"github.com/tapnode/tapnode/sdk/schema"
)

// emit makes the events from … to-1 happen.
func (s *suite) emit(t *testing.T, l *live, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if s.Trigger.Emit != nil {
			s.Trigger.Emit(t, l.Client, i)
			continue
		}
		if _, err := l.Execute(bounded(t), request(s.Keyed(i), fmt.Sprint("emit-", i)), nil); err != nil {
			t.Fatalf("emit: %v", err)
		}
	}
}

func (s *suite) needTrigger(t *testing.T) {
	t.Helper()
	if s.Trigger == nil || s.Trigger.Emit == nil && s.Keyed == nil {
		t.Skip("needs a Trigger with Emit or Keyed")
	}
}

func (s *suite) subscribe(t *testing.T, l *live, cursor []byte, window int) *client.Subscription {
	t.Helper()
	sub, err := l.Subscribe(bounded(t), client.Start{
		Operation: s.Trigger.Operation, Subscriber: "nodetest", Filter: s.Trigger.Filter, Cursor: cursor, Window: window,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func receive(t *testing.T, sub *client.Subscription) sdk.Event {
	t.Helper()
	e, err := sub.Recv()
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return e
}

func (s *suite) subscribeFlow(t *testing.T) {
	s.needTrigger(t)
	l := s.open(t)
	s.emit(t, l, 0, 3)
	types := s.eventTypes(t, l)

	sub := s.subscribe(t, l, nil, 2)
	first, second := receive(t, sub), receive(t, sub)
	if first.Sequence != 1 || second.Sequence != 2 || first.ID == second.ID {
		t.Errorf("sequences %d, %d, ids %q, %q", first.Sequence, second.Sequence, first.ID, second.ID)
	}
	for _, e := range []sdk.Event{first, second} {
		if types[e.Type] == nil || e.ID == "" || len(e.Cursor) == 0 || e.Time.IsZero() {
			t.Errorf("an incomplete event: %+v", e)
		} else if _, findings := types[e.Type].Check(e.Data); len(findings) > 0 {
			t.Errorf("data %s: %+v", e.Data, findings)
		}
	}
	if err := sub.Ack(1); err != nil {
		t.Fatal(err)
	}
	if third := receive(t, sub); third.Sequence != 3 {
		t.Errorf("after an ack came %+v", third)
	}
	cursor, err := sub.Stop(bounded(t))
	if err != nil || string(cursor) != string(first.Cursor) {
		t.Fatalf("stopped at %q, %v; the last acked event has %q", cursor, err, first.Cursor)
	}

	// Unacknowledged events are delivered again, with the same id.
	sub = s.subscribe(t, l, cursor, 10)
	if !sub.Ready.Resumed {
		t.Error("ready says that events are lost")
	}
	again := receive(t, sub)
	if again.ID != second.ID || again.Sequence != 1 {
		t.Errorf("resumed with %q as sequence %d, want %q as 1", again.ID, again.Sequence, second.ID)
	}
	receive(t, sub)
	s.emit(t, l, 3, 4) // an event that happens while the stream is open
	if e := receive(t, sub); e.ID == first.ID || e.ID == second.ID {
		t.Errorf("a new event has the old id %q", e.ID)
	}
	if _, err := sub.Stop(bounded(t)); err != nil {
		t.Error(err)
	}
	s.windowHolds(t, l, cursor)
}

// windowHolds subscribes with a window of 1 and drains: only one event may have been delivered.
func (s *suite) windowHolds(t *testing.T, l *live, cursor []byte) {
	t.Helper()
	sub := s.subscribe(t, l, cursor, 1)
	receive(t, sub)
	if _, err := l.Drain(bounded(t), 0); err != nil {
		t.Fatal(err)
	}
	if e, err := sub.Recv(); err == nil {
		t.Errorf("a window of 1 let %q through", e.ID)
	}
}

func (s *suite) eventTypes(t *testing.T, l *live) map[string]*schema.Schema {
	t.Helper()
	m, err := l.Describe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]*schema.Schema{}
	for _, op := range m.Operations {
		for _, e := range op.Events {
			if op.ID != s.Trigger.Operation {
				continue
			}
			if types[e.Type], err = schema.Compile(e.Schema); err != nil {
				t.Fatal(err)
			}
		}
	}
	return types
}

func (s *suite) subscribeNewest(t *testing.T) {
	s.needTrigger(t)
	l := s.open(t)
	old := s.subscribe(t, l, nil, 0)
	sub := s.subscribe(t, l, nil, 0)
	if _, err := old.Recv(); !errors.Is(err, client.ErrSuperseded) {
		t.Errorf("the old stream ends with %v", err)
	}
	s.emit(t, l, 0, 1)
	receive(t, sub)
}

func (s *suite) subscribeRefuses(t *testing.T) {
	s.needTrigger(t)
	l := s.open(t)
	sub := s.subscribe(t, l, nil, 0)
	if err := sub.Ack(1000); err != nil {
		t.Fatal(err)
	}
	_, err := sub.Recv()
	wantCode(t, err, codes.InvalidArgument)
	for _, start := range []client.Start{
		{Operation: s.Trigger.Operation, Subscriber: "x", Window: 1001},
		{Operation: s.Trigger.Operation, Subscriber: "x", Window: -1},
		{Operation: s.Trigger.Operation, Subscriber: "x", Filter: []byte(`[]`)},
	} {
		_, err := l.Subscribe(bounded(t), start)
		wantCode(t, err, codes.InvalidArgument)
	}
	for _, filter := range hostile() {
		violations, _, err := l.Validate(bounded(t), s.Trigger.Operation, filter.Bytes)
		if err != nil {
			t.Fatalf("%s: %v", filter.Name, err)
		}
		if len(violations) == 0 {
			continue
		}
		if _, err := l.Subscribe(bounded(t), client.Start{Operation: s.Trigger.Operation, Subscriber: "x", Filter: filter.Bytes}); err == nil {
			t.Errorf("filter %s: Validate refuses it, Subscribe does not", filter.Name)
		} else {
			wantCode(t, err, codes.InvalidArgument)
		}
	}
	_, err = l.Subscribe(bounded(t), client.Start{Operation: "no.such@1", Subscriber: "x"})
	wantCode(t, err, codes.NotFound)

	stream, err := l.rpc.Subscribe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&nodepb.SubscribeRequest{Message: &nodepb.SubscribeRequest_Stop{Stop: &nodepb.SubscribeStop{}}}); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err == nil {
		t.Errorf("a stream that does not begin with start got %v", m)
	}
}
