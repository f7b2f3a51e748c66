package events

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// TestExpired: events that a receiver has not accepted for a day become dead letters with the last
// error, including those that were never tried because the breaker was open. They can still be
// redelivered. This holds with and without a restart of the host.
func TestExpired(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) { expired(t, p, false) })
	onBoth(t, func(t *testing.T, p *place) { expired(t, p, true) })
}

func expired(t *testing.T, p *place, restart bool) {
	var ahead atomic.Int64
	p.opt.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	p.Service = New(p.opt)
	away := make(chan struct{})
	r := receive(t, func(string) int {
		select {
		case <-away:
			return http.StatusOK
		default:
			return http.StatusBadGateway
		}
	})
	w, _ := p.create(t, Settings{URL: r.URL})
	p.Start()
	var ids []string
	for n := range 30 { // more than it takes to open the breaker
		ids = append(ids, p.tell(t, fmt.Sprint("i", n), 1))
	}
	r.until(t, "the breaker is open", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.calls) >= maxFails
	})
	ahead.Store(int64(tryFor + time.Hour))
	if restart {
		p.again(t)
	}
	var dead []Undelivered
	r.until(t, "all are dead", func() bool {
		var err error
		if dead, err = p.DeadLetters(t.Context(), w.ID, "", 100); err != nil {
			t.Fatal(err)
		}
		return len(dead) == len(ids)
	})
	for i, d := range dead {
		if d.ID != ids[i] || d.Code != codeExpired || d.Error == "" {
			t.Errorf("dead letter %d is %+v", i, d)
		}
	}
	close(away)
	for page := dead[:10]; len(page) > 0; {
		for _, d := range page {
			if a, err := p.Redeliver(t.Context(), w.ID, d.ID); err != nil || !a.ok() {
				t.Fatal(a, err)
			}
		}
		var err error
		if page, err = p.DeadLetters(t.Context(), w.ID, "", 10); err != nil {
			t.Fatal(err)
		}
	}
	// A call that timed out after postTime may still have reached a slow receiver, so an event may arrive
	// twice.
	if s, err := p.Find(t.Context(), w.ID); err != nil || s.DeadLetters != 0 || s.Waiting != 0 || !r.has(ids...)() {
		t.Errorf("left are %+v, %v; taken %v", s, err, r.ids())
	}
}

// TestExpiredWhileOthersCome: while the breaker is open, expired events become dead letters even if
// other events come all the time.
func TestExpiredWhileOthersCome(t *testing.T) {
	p := open(t, sqlite(t.TempDir()))
	now := time.Now().Add(tryFor + time.Hour)
	p.opt.Now = func() time.Time { return now }
	p.Service = New(p.opt)
	w, _ := p.create(t, Settings{URL: "https://example.com"})
	d := newSender(p.Service, w)
	d.breaker.until = now.Add(time.Hour)
	for second := range 2 * firstOpen / time.Second {
		if _, err := d.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.tell(t, "demo", int(second))
		now = now.Add(time.Second)
	}
	if len(d.record.dead) == 0 {
		t.Error("no event is dead")
	}
}

// TestOutboxLimits: the oldest events are removed when they are old and every webhook has them, or when
// there are too many. A webhook that has not got them counts them as lost, and a reader by position
// learns of the gap.
func TestOutboxLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		start, err := p.Newest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w, _ := p.create(t, Settings{URL: "https://crm.example", Instances: []string{"a"}})
		for n := range 20 {
			p.tell(t, []string{"a", "b"}[n%2], n)
		}
		page, err := p.Read(t.Context(), start, Filter{Instances: []string{"a"}}, 100)
		if err != nil || len(page.Events) != 10 || page.Gone > start {
			t.Fatalf("%d events, %+v, %v", len(page.Events), page, err)
		}
		tenth := page.Events[4].Position // the ninth event of both instances
		old := trimming{floor: tenth, before: time.Now().Add(time.Hour), events: 100, bytes: 1 << 20}
		if lost, err := p.box.trim(t.Context(), old); lost != 0 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
		p.counts(t, 11, w.ID, 0)
		many := trimming{before: time.Now().Add(-time.Hour), events: 5, bytes: 1 << 20, floor: tenth, late: []laggard{{w.ID, "a", tenth}}}
		if lost, err := p.box.trim(t.Context(), many); lost != 6 || err != nil {
			t.Errorf("%d lost, %v", lost, err)
		}
		p.counts(t, 5, w.ID, 3) // half of the events were of its instance
		large := trimming{before: time.Now().Add(-time.Hour), events: 100, bytes: 2 * int64(len(`{"n":1}`)), floor: tenth}
		if _, err := p.box.trim(t.Context(), large); err != nil {
			t.Error(err)
		}
		p.counts(t, 2, w.ID, 3)
		if page, err = p.Read(t.Context(), start, Filter{Types: []string{"whatsapp.button.clicked.v1"}}, 100); err != nil || len(page.Events) != 2 || page.Gone <= start {
			t.Errorf("%d events, gone up to %d, %v", len(page.Events), page.Gone, err)
		}
		if page, err = p.Read(t.Context(), page.Next, Filter{}, 100); err != nil || len(page.Events) != 0 || page.Gone > 0 {
			t.Errorf("behind the last: %+v, %v", page, err)
		}
	})
}

func (p *place) counts(t *testing.T, events int, webhook string, lost int64) {
	t.Helper()
	var n, bytes int
	if err := p.opt.DB.Row(t.Context(), `SELECT (SELECT count(*) FROM engine_events), event_bytes FROM engine_totals`, nil, &n, &bytes); err != nil {
		t.Fatal(err)
	}
	if n != events || bytes != events*len(`{"n":1}`) {
		t.Errorf("%d events of %d bytes, want %d", n, bytes, events)
	}
	if s, err := p.Find(t.Context(), webhook); err != nil || s.Lost != lost {
		t.Errorf("lost %d, want %d, %v", s.Lost, lost, err)
	}
}

// TestDeadLimits: dead letters are removed when they are too old or too many.
func TestDeadLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		w, _ := p.create(t, Settings{URL: "https://crm.example"})
		err := p.opt.DB.Write(t.Context(), "test", func(tx *sqldb.Tx) error {
			for n := range maxDead + 7 {
				d := Undelivered{ID: fmt.Sprint(n), Position: uint64(n + 1), Code: codeFull, Died: time.Now(), Data: json.RawMessage(`{}`)}
				if n == maxDead {
					d.Died = d.Died.Add(-keepDead - time.Hour)
				}
				if err := putDead(tx, w.ID, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			err = p.store.sweep(t.Context())
		}
		s, found := p.Find(t.Context(), w.ID)
		first, listed := p.DeadLetters(t.Context(), w.ID, "", 1)
		if err != nil || found != nil || listed != nil || s.DeadLetters != maxDead || s.Lost != 6 || first[0].ID != "6" {
			t.Errorf("%d dead letters, %d lost, the first %+v, %v %v %v", s.DeadLetters, s.Lost, first, err, found, listed)
		}
	})
}

// TestQueriesHaveIndexes: no query that runs for every event scans a whole table.
func TestQueriesHaveIndexes(t *testing.T) {
	dir := t.TempDir()
	made, err := sqllog.Open(t.Context(), sqlite(dir))
	if err == nil {
		err = made.Close() // the statements that create the tables cannot be explained
	}
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, sqlite(dir))
	r := receive(t, nil)
	w, _ := p.create(t, Settings{URL: r.URL, Instances: []string{"shop"}})
	all, _ := p.create(t, Settings{URL: r.URL})
	p.Start()
	p.tell(t, "shop", 1)
	for _, id := range []string{w.ID, all.ID} {
		r.until(t, "the attempt is stored", func() bool {
			s, err := p.Find(t.Context(), id)
			return err == nil && s.Last != nil
		})
	}
	_, err = p.Redeliver(t.Context(), w.ID, "none")
	if err == nil || !strings.Contains(err.Error(), "no such dead letter") {
		t.Errorf("redelivered: %v", err)
	}
	plans, err := p.opt.DB.Plans(t.Context(), "engine_")
	if err != nil || len(plans) < 10 {
		t.Errorf("%d queries were seen: %v", len(plans), err)
	}
	whole := []string{"FROM engine_webhooks", "count(*) FROM engine_events", "GROUP BY webhook", "engine_meta", "SET settings"} // tables of few rows, or queries that run once a minute
	for query, plan := range plans {
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") && !strings.Contains(step, "USING") && !strings.Contains(step, "CONSTANT") && !strings.Contains(step, "VALUES") && !containsAny(query, whole) {
				t.Errorf("%s\n\t%s", query, strings.Join(plan, "\n\t"))
			}
		}
	}
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// TestEnabledAgain: a webhook that is enabled again gets new events at once. The events that waited
// when it was disabled are dead letters.
func TestEnabledAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		bad, good := receive(t, func(string) int { return http.StatusInternalServerError }), receive(t, nil)
		w, _ := p.create(t, Settings{URL: bad.URL})
		p.Start()
		first := p.tell(t, "shop", 1)
		bad.until(t, "it waits", func() bool { s, err := p.Find(t.Context(), w.ID); return err == nil && s.Waiting == 1 })
		for n := range 5 {
			if _, err := p.Change(t.Context(), w.ID, Settings{URL: good.URL}, false); err != nil {
				t.Fatal(err)
			}
			p.tell(t, "shop", 100+n)
			if _, err := p.Change(t.Context(), w.ID, Settings{URL: good.URL}, true); err != nil {
				t.Fatal(err)
			}
			good.until(t, "taken again", good.has(p.tell(t, "shop", 2+n)))
		}
		if d, err := p.DeadLetter(context.Background(), w.ID, first); err != nil || d.Code != codeDisabled {
			t.Errorf("%+v, %v", d, err)
		}
	})
}
