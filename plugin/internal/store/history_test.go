package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/store"

	"github.com/tapnode/tapnode/plugin/internal/store/ledger"
	"github.com/tapnode/tapnode/plugin/internal/store/outbox"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

const status = "whatsapp.message.status.v1"

// steps makes an event that says what changed.
func steps(c ledger.Change) (outbox.Event, error) {
	data, err := json.Marshal(strings.TrimSpace(fmt.Sprintf("%s %v>%v@%d %s %s%s",
		c.Entry.Key, c.From, c.To, c.At.Unix(), c.Entry.Correlation, c.Member, c.Account.JID)))
	return outbox.Event{ID: string(data), Type: status, Instance: c.Entry.Instance, Data: data, Time: c.At}, err
}

// told reads the events that hosts were given.
func told(t *testing.T, s *store.Store) (all []string) {
	t.Helper()
	for _, e := range must[[]outbox.Event](t)(s.Outbox.Read(t.Context(), nil, outbox.Filter{Types: []string{status}}, 1000)) {
		var line string
		check(t, json.Unmarshal(e.Data, &line))
		all = append(all, line)
	}
	return all
}

func subscribe(t *testing.T, s *store.Store) {
	t.Helper()
	_, _, err := s.Outbox.Subscribe(t.Context(), "host", outbox.Filter{Types: []string{status}}, nil)
	check(t, err)
}

// plan begins a send and puts it on disk.
func plan(t *testing.T, s *store.Store, key string) *ledger.Claim {
	t.Helper()
	c := begin(t, s, key, "f")
	check(t, storeIntent(t.Context(), s, c, ledger.Plan{Chat: ada, Message: []byte("m"), Source: "crm", Correlation: "run-1"}))
	return c
}

// TestEveryStepIsToldOnce: whatever the order of acknowledgement and receipts, a state is reported
// once when it is reached, and never after a higher one.
func TestEveryStepIsToldOnce(t *testing.T) {
	sent := func(s *store.Store, c *ledger.Claim) error {
		return s.Ledger.Conclude(t.Context(), c, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{}`), SentAt: time.Unix(100, 0)})
	}
	failed := func(s *store.Store, c *ledger.Claim) error {
		return s.Ledger.Conclude(t.Context(), c, ledger.Outcome{State: ledger.Failed, JSON: []byte(`{}`)})
	}
	receipt := func(state ledger.State, at int64) func(*store.Store, *ledger.Claim) error {
		return func(s *store.Store, c *ledger.Claim) error {
			return s.Ledger.Receipt(t.Context(), "shop", ledger.Receipt{MessageIDs: []string{c.Entry.MessageID}, State: state, At: time.Unix(at, 0)})
		}
	}
	unknown := func(s *store.Store, c *ledger.Claim) error { return s.Ledger.MarkUnknown(t.Context(), c) }
	delivered, read := receipt(ledger.Delivered, 200), receipt(ledger.Read, 300)
	type step = func(*store.Store, *ledger.Claim) error
	clock := newClock()
	now := clock.now().Unix()
	onEach(t, store.Options{Status: ledger.Events{Type: status, New: steps}, Now: clock.now}, func(t *testing.T, open func() *store.Store) {
		s := open()
		subscribe(t, s)
		for _, tc := range []struct {
			name    string
			steps   []step
			want    string
			history string
		}{
			{"in-order", []step{sent, delivered, read}, "intent>sent@100,sent>delivered@200,delivered>read@300", "intent sent delivered read"},
			{"twice", []step{sent, delivered, delivered, read, read, delivered}, "intent>sent@100,sent>delivered@200,delivered>read@300", "intent sent delivered read"},
			{"read-first", []step{sent, read, delivered}, "intent>sent@100,sent>read@300", "intent sent read"},
			{"receipt-before-ack", []step{delivered, sent, read}, "intent>delivered@200,delivered>read@300", "intent sent delivered read"},
			{"settled-by-receipt", []step{unknown, unknown, delivered, read}, fmt.Sprintf("intent>unknown@%d,unknown>delivered@200,delivered>read@300", now), "intent unknown delivered read"},
			{"sent-after-unknown", []step{unknown, sent}, fmt.Sprintf("intent>unknown@%d,unknown>sent@100", now), "intent unknown sent"},
			{"refused", []step{failed, delivered, read}, fmt.Sprintf("intent>failed@%d", now), "intent failed"},
			{"refused-after-a-receipt", []step{delivered, failed}, "intent>delivered@200", "intent delivered"},
		} {
			c := plan(t, s, tc.name)
			for _, do := range tc.steps {
				check(t, do(s, c))
			}
			c.Release()
			var got []string
			for _, line := range told(t, s) {
				if key, rest, _ := strings.Cut(line, " "); key == tc.name {
					got = append(got, strings.TrimSuffix(rest, " run-1"))
				}
			}
			if strings.Join(got, ",") != tc.want {
				t.Errorf("%s: told %v, want %s", tc.name, got, tc.want)
			}
			e := must[ledger.Entry](t)(s.Ledger.SentMessage(t.Context(), "shop", c.Entry.MessageID))
			var history []string
			for _, h := range e.History() {
				history = append(history, h.State.String())
			}
			if strings.Join(history, " ") != tc.history || e.Source != "crm" {
				t.Errorf("%s: history %v, want %s", tc.name, history, tc.history)
			}
		}
	})
}

// TestStatesWithoutAListener: states without a subscriber are not stored in the log.
func TestStatesWithoutAListener(t *testing.T) {
	onEach(t, store.Options{Status: ledger.Events{Type: status, New: steps}}, func(t *testing.T, open func() *store.Store) {
		s := open()
		_, _, err := s.Outbox.Subscribe(t.Context(), "clicks", outbox.Filter{Types: []string{clicked}}, nil)
		check(t, err)
		c := plan(t, s, "before")
		check(t, s.Ledger.Conclude(t.Context(), c, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{}`)}))
		subscribe(t, s)
		changed := s.Outbox.Changed("")
		check(t, s.Ledger.Receipt(t.Context(), "shop", ledger.Receipt{MessageIDs: []string{c.Entry.MessageID}, State: ledger.Read, At: time.Unix(300, 0)}))
		select {
		case <-changed:
		default:
			t.Error("readers were not woken")
		}
		if got := told(t, s); !slices.Equal(got, []string{"before sent>read@300 run-1"}) {
			t.Errorf("told %v", got)
		}
	})
}

// TestMembersOfAGroup: each member's state is reported by name, and the message has the state of
// the first member.
func TestMembersOfAGroup(t *testing.T) {
	onEach(t, store.Options{Status: ledger.Events{Type: status, New: steps}}, func(t *testing.T, open func() *store.Store) {
		s := open()
		subscribe(t, s)
		c := plan(t, s, "g")
		check(t, s.Ledger.Conclude(t.Context(), c, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{}`), SentAt: time.Unix(100, 0)}))
		for _, r := range []ledger.Receipt{
			{State: ledger.Delivered, Member: "ana@lid", At: time.Unix(1, 0)},
			{State: ledger.Delivered, Member: "ana@lid", At: time.Unix(2, 0)},
			{State: ledger.Read, Member: "bob@lid", At: time.Unix(3, 0)},
			{State: ledger.Delivered, Member: "bob@lid", At: time.Unix(4, 0)},
			{State: ledger.Read, Member: "ana@lid", At: time.Unix(5, 0)},
		} {
			r.MessageIDs = []string{"3EB0OTHER", c.Entry.MessageID}
			check(t, s.Ledger.Receipt(t.Context(), "shop", r))
		}
		want := []string{"g intent>sent@100 run-1", "g sent>delivered@1 run-1 ana@lid", "g sent>read@3 run-1 bob@lid", "g delivered>read@5 run-1 ana@lid"}
		if got := told(t, s); !slices.Equal(got, want) {
			t.Errorf("told %q\nwant %q", got, want)
		}
		members := must[[]ledger.Member](t)(s.Ledger.Members(t.Context(), "shop", c.Entry.MessageID))
		if len(members) != 2 || members[0].JID != "ana@lid" || members[0].State != ledger.Read || members[0].DeliveredAt.Unix() != 1 ||
			members[0].ReadAt.Unix() != 5 || !members[1].DeliveredAt.IsZero() {
			t.Errorf("members = %+v", members)
		}
		if e := must[ledger.Entry](t)(s.Ledger.SentMessage(t.Context(), "shop", c.Entry.MessageID)); e.State != ledger.Read || e.ReadAt.Unix() != 3 {
			t.Errorf("the message is %v since %v", e.State, e.ReadAt)
		}
	})
}

// TestWhoSent: the change that shows that WhatsApp has the message names the account, even if a
// member of a group is faster than the acknowledgement.
func TestWhoSent(t *testing.T) {
	onEach(t, store.Options{Status: ledger.Events{Type: status, New: steps}}, func(t *testing.T, open func() *store.Store) {
		s := open()
		subscribe(t, s)
		must[registry.Instance](t)(s.Registry.Create(t.Context(), "shop"))
		must[bool](t)(s.Registry.Own(t.Context(), "shop", registry.Account{JID: "55@s.whatsapp.net", LID: "55@lid"}))
		for _, key := range []string{"ack-first", "member-first"} {
			c := plan(t, s, key)
			receipt := func(member string, at int64) error {
				return s.Ledger.Receipt(t.Context(), "shop", ledger.Receipt{MessageIDs: []string{c.Entry.MessageID}, State: ledger.Delivered, Member: member, At: time.Unix(at, 0)})
			}
			if key == "member-first" {
				check(t, receipt("ana@lid", 1))
			}
			check(t, s.Ledger.Conclude(t.Context(), c, ledger.Outcome{State: ledger.Sent, JSON: []byte(`{}`), SentAt: time.Unix(100, 0)}))
			check(t, receipt("bob@lid", 2))
		}
		want := []string{"ack-first intent>sent@100 run-1 55@s.whatsapp.net", "ack-first sent>delivered@2 run-1 bob@lid",
			"member-first intent>delivered@1 run-1 ana@lid55@s.whatsapp.net", "member-first sent>delivered@2 run-1 bob@lid"}
		if got := told(t, s); !slices.Equal(got, want) {
			t.Errorf("told %q\nwant %q", got, want)
		}
	})
}

// TestSequencesAreNotUsedTwice: events that a host read before a power cut do not share their
// sequences with later ones.
func TestSequencesAreNotUsedTwice(t *testing.T) {
	onOptions(t, store.Options{}, func(t *testing.T, opt store.Options) {
		s := must[*store.Store](t)(store.Open(t.Context(), opt))
		appendAll(t, s, event(clicked, "a", "1"))
		_, last := ids(t, s, nil, outbox.Filter{})
		check(t, s.Close())
		s = must[*store.Store](t)(store.Open(t.Context(), opt))
		defer s.Close()
		appendAll(t, s, event(clicked, "a", "2"), event(clicked, "a", "3"))
		// A host that read thousands more, of which the disk kept none.
		ahead := slices.Clone(last)
		ahead[14] += 0x27 // 9984 events
		if got, _ := ids(t, s, ahead, outbox.Filter{}); !slices.Equal(got, []string{"2", "3"}) {
			t.Errorf("after the cut a host reads %v", got)
		}
		check(t, s.Sweep(t.Context()))
		if got, _ := ids(t, s, nil, outbox.Filter{}); len(got) != 3 {
			t.Errorf("the gap cost events: %v are left", got)
		}
	})
}
