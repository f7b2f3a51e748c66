package nodetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// subscribeTurns makes many events happen to one subject and then one to another. The one must come
// after a few of the many, each subject must keep its order, and a cursor from the middle must lead
// to exactly the rest.
func (s *suite) subscribeTurns(t *testing.T) {
	if s.Trigger == nil || s.Trigger.EmitOn == nil {
		t.Skip("needs a Trigger with EmitOn")
	}
	const many, window = 40, 8
	l := s.open(t)
	m, err := l.Describe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Features, sdk.FeatureSubjects) {
		t.Errorf("the node does not have the feature %s, but %v", sdk.FeatureSubjects, m.Features)
	}
	busy, quiet := s.Trigger.Subjects[0], s.Trigger.Subjects[1]
	for i := range many {
		s.Trigger.EmitOn(t, l.Client, busy, i)
	}
	s.Trigger.EmitOn(t, l.Client, quiet, 0)
	// All events have happened once another subscriber has received all of them. It does not
	// acknowledge them, because a new subscriber begins after acknowledged events.
	other, err := l.Subscribe(bounded(t), client.Start{Operation: s.Trigger.Operation, Subscriber: "nodetest-other", Filter: s.Trigger.Filter, Window: 1000})
	if err != nil {
		t.Fatal(err)
	}
	happened := map[string][]string{}
	for range many + 1 {
		e := receive(t, other)
		happened[e.Subject] = append(happened[e.Subject], e.ID)
	}
	if len(happened[busy]) != many || len(happened[quiet]) != 1 {
		t.Fatalf("happened %v", happened)
	}

	got := take(t, s.subscribe(t, l, nil, window), many+1)
	if at := slices.IndexFunc(got, func(e sdk.Event) bool { return e.Subject == quiet }); at > 2*window {
		t.Errorf("with a window of %d the one event of %s came as number %d", window, quiet, at+1)
	}
	if order := bySubject(got); fmt.Sprint(order) != fmt.Sprint(happened) {
		t.Errorf("got %v, want %v", order, happened)
	}
	for _, n := range []int{1, many / 2} {
		rest := take(t, s.subscribe(t, l, got[n-1].Cursor, window), many+1-n)
		if want := bySubject(got[n:]); fmt.Sprint(bySubject(rest)) != fmt.Sprint(want) {
			t.Errorf("behind number %d came %v, want %v", n, bySubject(rest), want)
		}
	}
}

// take receives and acknowledges events, one after the other.
func take(t *testing.T, sub *client.Subscription, n int) (events []sdk.Event) {
	t.Helper()
	for range n {
		e := receive(t, sub)
		if err := sub.Ack(e.Sequence); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// bySubject returns the ids of each subject's events, in order.
func bySubject(events []sdk.Event) map[string][]string {
	out := map[string][]string{}
	for _, e := range events {
		out[e.Subject] = append(out[e.Subject], e.ID)
	}
	return out
}
