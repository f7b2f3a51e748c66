package faults

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/internal/jsonstrict"
)

func TestParseReadsARule(t *testing.T) {
	r, err := parse([]byte(`{"id":"slow","match":{"stage":"message","account":"+5511999","recipient":"1-2@g.us","type":"text",
		"probability":0.5,"seed":7},"times":3,"action":{"delay":"150ms","ackError":{"code":479},"disconnect":"after"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Rule{ID: "slow", Times: 3,
		Match:  Match{Stage: Message, Account: "+5511999", Recipient: "1-2@g.us", Type: "text", Probability: 0.5, Seed: 7},
		Action: Action{Delay: Duration(150 * time.Millisecond), AckError: &AckError{Code: 479}, Disconnect: After}}
	if d := cmp.Diff(want, r); d != "" {
		t.Fatal(d)
	}
}

func TestParseRefusesWithThePlace(t *testing.T) {
	for _, c := range []struct{ in, pointer, message string }{
		{`{`, "", "not valid JSON"},
		{`{"match":{"stage":"message"},"action":{"ackErorr":{}}}`, "/action/ackErorr", "unknown"},
		{`{"match":{},"action":{"drop":true}}`, "/match/stage", `"handshake"`},
		{`{"match":{"stage":"iq"},"action":{}}`, "/action", "iqError"},
		{`{"match":{"stage":"iq"},"action":{"ackError":{"code":1}}}`, "/action/ackError", `use it at "message"`},
		{`{"match":{"stage":"message"},"action":{"ackError":{}}}`, "/action/ackError/code", "between 1"},
		{`{"match":{"stage":"message"},"action":{"delay":"2h"}}`, "/action/delay", "60000"},
		{`{"match":{"stage":"message"},"action":{"delay":"soon"}}`, "/action/delay", "invalid duration"},
		{`{"match":{"stage":"message"},"action":{"disconnect":"now"}}`, "/action/disconnect", `"before"`},
		{`{"match":{"stage":"media","account":"1"},"action":{"httpStatus":500}}`, "/match/account", "not known"},
		{`{"match":{"stage":"media"},"action":{"httpStatus":200}}`, "/action/httpStatus", "400"},
		{`{"match":{"stage":"iq","messageId":"a"},"action":{"drop":true}}`, "/match/messageId", "no meaning"},
		{`{"match":{"stage":"iq","probability":1},"action":{"drop":true}}`, "/match/probability", "excluded"},
		{`{"match":{"stage":"iq","seed":1},"action":{"drop":true}}`, "/match/seed", "probability"},
		{`{"match":{"stage":"iq","nth":2},"times":2,"action":{"drop":true}}`, "/times", "once"},
		{`{"match":{"stage":"iq"},"times":-1,"action":{"drop":true}}`, "/times", "negative"},
	} {
		_, err := parse([]byte(c.in))
		var e *jsonstrict.Error
		if !errors.As(err, &e) || e.Pointer != c.pointer || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s\n got %v\nwant %q at %q", c.in, err, c.message, c.pointer)
		}
	}
}

// fired plays the events against the rules and notes, per event, whether one fired.
func fired(t *testing.T, rules []Rule, events ...Event) string {
	t.Helper()
	s := NewSet(10)
	for _, r := range rules {
		if _, err := s.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	for _, ev := range events {
		if _, ok := s.Match(ev); ok {
			out.WriteByte('x')
		} else {
			out.WriteByte('.')
		}
	}
	return out.String()
}

func TestMatch(t *testing.T) {
	drop := Action{Drop: true}
	iq := Event{Stage: IQ, Account: "4915", Type: "usync"}
	msg := Event{Stage: Message, Account: "4915@s.whatsapp.net", Recipient: "+551", MessageID: "A", Type: "text"}
	for _, c := range []struct {
		name   string
		rule   Rule
		events []Event
		want   string
	}{
		{"stage only", Rule{Match: Match{Stage: IQ}, Action: drop}, []Event{iq, msg, iq}, "x.x"},
		{"type", Rule{Match: Match{Stage: IQ, Type: "usync"}, Action: drop}, []Event{iq, {Stage: IQ, Type: "w:m"}}, "x."},
		{"number written three ways", Rule{Match: Match{Stage: Message, Account: "+4915", Recipient: "551@c.us"}, Action: Action{DropAck: true}}, []Event{msg}, "x"},
		{"group is a JID", Rule{Match: Match{Stage: Message, Recipient: "551@g.us"}, Action: Action{DropAck: true}}, []Event{msg}, "."},
		{"other id", Rule{Match: Match{Stage: Message, MessageID: "B"}, Action: Action{DropAck: true}}, []Event{msg}, "."},
		{"times", Rule{Match: Match{Stage: IQ}, Times: 2, Action: drop}, []Event{iq, iq, iq}, "xx."},
		{"nth", Rule{Match: Match{Stage: IQ, Nth: 2}, Action: drop}, []Event{iq, iq, iq}, ".x."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := fired(t, []Rule{c.rule}, c.events...); got != c.want {
				t.Fatalf("fired %q, want %q", got, c.want)
			}
		})
	}
}

func TestChanceIsRepeatable(t *testing.T) {
	events := make([]Event, 200)
	for i := range events {
		events[i] = Event{Stage: IQ}
	}
	rule := func(seed uint64) []Rule {
		return []Rule{{Match: Match{Stage: IQ, Probability: 0.25, Seed: seed}, Action: Action{Drop: true}}}
	}
	one, again, other := fired(t, rule(1), events...), fired(t, rule(1), events...), fired(t, rule(2), events...)
	if one != again {
		t.Fatal("the same seed decided differently")
	}
	if one == other {
		t.Fatal("another seed decided the same")
	}
	if n := strings.Count(one, "x"); n < 25 || n > 75 {
		t.Fatalf("fired %d of 200 at probability 0.25", n)
	}
}

func TestFirstRuleDecidesAndCounts(t *testing.T) {
	s := NewSet(2)
	add := func(r Rule) string {
		id, err := s.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := add(Rule{Match: Match{Stage: IQ}, Times: 1, Action: Action{Drop: true}})
	add(Rule{ID: "second", Match: Match{Stage: IQ}, Action: Action{IQError: &IQError{Code: 429}}})
	if _, err := s.Add(Rule{Match: Match{Stage: IQ}, Action: Action{Drop: true}}); !errors.Is(err, ErrTooMany) {
		t.Fatalf("a third rule: %v", err)
	}
	a, _ := s.Match(Event{Stage: IQ})
	b, _ := s.Match(Event{Stage: IQ})
	if !a.Drop || b.IQError == nil {
		t.Fatalf("got %+v, then %+v", a, b)
	}
	got, err := json.Marshal(s.List())
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"id":"f1","match":{"stage":"iq"},"times":1,"action":{"drop":true},"seen":2,"hits":1},` +
		`{"id":"second","match":{"stage":"iq"},"action":{"iqError":{"code":429}},"seen":1,"hits":1}]`
	if string(got) != want {
		t.Fatalf("listed %s", got)
	}
	if !s.Delete(first) || s.Delete(first) {
		t.Fatal("a rule is deleted once")
	}
	if _, err := s.Add(Rule{ID: "second", Match: Match{Stage: IQ}, Action: Action{Drop: true}}); !errors.Is(err, ErrTaken) {
		t.Fatalf("the same id twice: %v", err)
	}
	s.Clear()
	if _, ok := s.Match(Event{Stage: IQ}); ok || len(s.List()) != 0 {
		t.Fatal("a cleared set still fires")
	}
}

func TestSetIsSafeForManyGoroutines(t *testing.T) {
	s := NewSet(100)
	if _, err := s.Add(Rule{ID: "all", Match: Match{Stage: IQ}, Action: Action{Drop: true}}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				s.Match(Event{Stage: IQ})
				id, err := s.Add(Rule{Match: Match{Stage: Login}, Action: Action{Drop: true}})
				if err != nil || !s.Delete(id) {
					t.Error("a rule got lost", id, err)
				}
				s.List()
			}
		})
	}
	wg.Wait()
	if got := s.List(); len(got) != 1 || got[0].Hits != 800 {
		t.Fatalf("ended with %+v", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"match":{"stage":"message","nth":2},"action":{"ackError":{"code":479}}}`))
	f.Add([]byte(`{"match":{"stage":"login"},"action":{"loginFailure":{"reason":402,"code":101,"expire":60}}}`))
	f.Add([]byte(`{"match":{"stage":"delivery","probability":0.1,"seed":1},"action":{"delay":"1s","duplicate":2}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parse(data)
		if err != nil {
			var e *jsonstrict.Error
			if !errors.As(err, &e) {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(out)
		if err != nil || !cmp.Equal(r, again) {
			t.Fatalf("%s reads back as %+v, %v", out, again, err)
		}
	})
}

func BenchmarkMatchWithoutRules(b *testing.B) {
	s := NewSet(1)
	for b.Loop() {
		s.Match(Event{Stage: Message, Account: "4915", Recipient: "551", MessageID: "A", Type: "text"})
	}
}
