package events

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
)

// place is a database with a service that can be restarted.
type place struct {
	*Service
	log  *sqllog.Log
	opt  Options
	said *said
}

type said struct {
	mu  sync.Mutex
	all strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func onBoth(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, sqllog.Options{Dir: t.TempDir()})) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, sqllog.Options{Postgres: sqldbtest.Postgres(t)})) })
}

func sqlite(dir string) sqllog.Options { return sqllog.Options{Dir: dir} }

func open(t *testing.T, o sqllog.Options) *place {
	t.Helper()
	log, err := sqllog.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{log: log, said: &said{}}
	p.opt = Options{DB: log.DB(), Told: log.Told, Secret: []byte("secret"), Private: true, Logger: debugLogger(p.said)}
	p.Service = New(p.opt)
	t.Cleanup(func() {
		p.stop(t)
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (p *place) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// again restarts the service.
func (p *place) again(t *testing.T) {
	t.Helper()
	p.stop(t)
	p.Service = New(p.opt)
	p.Start()
}

// tell puts an event of an instance into the outbox and returns its id.
func (p *place) tell(t *testing.T, instance string, n int) string {
	t.Helper()
	ev := engine.Outgoing{ID: fmt.Sprintf("%s-%04d", instance, n), Type: "whatsapp.button.clicked.v1", Instance: instance, Time: time.Now(), Data: json.RawMessage(`{"n":1}`)}
	if err := p.log.Tell(t.Context(), ev)(); err != nil {
		t.Fatal(err)
	}
	return ev.ID
}

func (p *place) create(t *testing.T, s Settings) (*Webhook, string) {
	t.Helper()
	w, secret, err := p.Create(t.Context(), s, true)
	if err != nil {
		t.Fatal(err)
	}
	return w, secret
}

// receiver is a web service that takes events.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	taken []string // ids, in order
	calls []call
	more  chan struct{} // holds one token when something was taken
}

type call struct {
	header http.Header
	path   string
	body   string
}

// receive starts a receiver. answer returns the status for a call; nil means 200.
func receive(t *testing.T, answer func(id string) int) *receiver {
	t.Helper()
	r := &receiver{more: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		id := req.Header.Get("webhook-id")
		status := http.StatusOK
		if answer != nil {
			status = answer(id)
		}
		r.mu.Lock()
		r.calls = append(r.calls, call{req.Header.Clone(), req.URL.RequestURI(), string(body)})
		if status < 300 {
			r.taken = append(r.taken, id)
		}
		r.mu.Unlock()
		w.WriteHeader(status)
		select {
		case r.more <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.taken)
}

// until waits for calls until a condition holds.
func (r *receiver) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := time.After(time.Minute)
	for !holds() {
		select {
		case <-r.more:
		case <-time.After(20 * time.Millisecond): // some conditions hold only some time after the call
		case <-late:
			t.Fatalf("%s: it never came to that; taken %v", what, r.ids())
		}
	}
}

func (r *receiver) has(ids ...string) func() bool {
	return func() bool {
		taken := r.ids()
		return !slices.ContainsFunc(ids, func(id string) bool { return !slices.Contains(taken, id) })
	}
}

// inOrder checks that the events of each instance arrived in order. It ignores events that arrived
// again because the answer was lost.
func inOrder(t *testing.T, ids []string) {
	t.Helper()
	last, seen := map[string]string{}, map[string]bool{}
	for _, id := range ids {
		instance, _, _ := strings.Cut(id, "-")
		if !seen[id] && id < last[instance] {
			t.Errorf("%s came behind %s", id, last[instance])
		}
		seen[id] = true
		last[instance] = max(last[instance], id)
	}
}

// TestFailingReceiver: every event reaches a receiver that fails a third of its calls and is down for a
// while, in the order of its instance, although the service restarts meanwhile.
func TestFailingReceiver(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		var away sync.Map
		var mu sync.Mutex
		failed := map[string]int{}
		r := receive(t, func(id string) int {
			_, down := away.Load("down")
			mu.Lock()
			defer mu.Unlock()
			// Fail no event often: its pauses double, and ten failures in a row also open the breaker.
			if down || failed[id] < 2 && rand.IntN(3) == 0 {
				failed[id]++
				return http.StatusServiceUnavailable
			}
			return http.StatusNoContent
		})
		w, _ := p.create(t, Settings{URL: r.URL, Events: []string{"whatsapp.button.clicked.v1"}})
		p.Start()
		var ids []string
		for n := range 40 {
			switch n {
			case 10, 25:
				p.again(t)
			case 15:
				away.Store("down", true)
			case 30:
				away.Delete("down")
			}
			for _, instance := range []string{"a", "b", "c", "d"} {
				ids = append(ids, p.tell(t, instance, n))
			}
		}
		r.until(t, "all are taken", r.has(ids...))
		inOrder(t, r.ids())
		r.until(t, "nothing waits", func() bool {
			s, err := p.Find(t.Context(), w.ID)
			return err == nil && s.Waiting == 0 && s.DeadLetters == 0
		})
		deliveries, err := p.Deliveries(t.Context(), w.ID, logSlots)
		if err != nil || !slices.ContainsFunc(deliveries, func(a Attempt) bool { return a.Status == 503 && a.Error != "" }) || !slices.ContainsFunc(deliveries, func(a Attempt) bool { return a.Attempt > 1 && a.ok() }) {
			t.Errorf("the log of deliveries has %d, %v", len(deliveries), err)
		}
	})
}

// TestSignature: the receiver can verify each call with the secret from Create, and after a rotation
// with the old or the new one.
func TestSignature(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		r := receive(t, nil)
		w, first := p.create(t, Settings{URL: r.URL})
		p.Start()
		verify := func(n int, secrets ...string) {
			t.Helper()
			r.until(t, "taken", r.has(p.tell(t, "shop", n)))
			r.mu.Lock()
			c := r.calls[len(r.calls)-1]
			r.mu.Unlock()
			for _, secret := range secrets {
				key, err := standardwebhooks.NewWebhook(secret)
				if err == nil {
					err = key.Verify([]byte(c.body), c.header)
				}
				if err != nil {
					t.Errorf("event %d: %v", n, err)
				}
			}
			var ev CloudEvent
			if err := json.Unmarshal([]byte(c.body), &ev); err != nil || ev.SpecVersion != "1.0" || ev.ID != c.header.Get("webhook-id") || ev.Source != "/instances/shop" || c.header.Get("Content-Type") != "application/cloudevents+json" {
				t.Errorf("got %s, %v", c.body, err)
			}
		}
		verify(1, first)
		second, until, err := p.Rotate(t.Context(), w.ID)
		if err != nil || second == first || time.Until(until) < overlap-time.Minute {
			t.Fatal(second == first, until, err)
		}
		r.until(t, "the new key", func() bool {
			r.until(t, "taken", r.has(p.tell(t, "shop", 2+len(r.ids()))))
			r.mu.Lock()
			defer r.mu.Unlock()
			return strings.Contains(r.calls[len(r.calls)-1].header.Get("webhook-signature"), " ")
		})
		verify(5000, first, second)
		if strings.Contains(p.said.all.String(), strings.TrimPrefix(first, "whsec_")) || strings.Contains(p.said.all.String(), r.URL) {
			t.Error("a key or an address was logged")
		}
	})
}

// TestGone: a receiver that answers 410 is not called any more. The events that wait for it become dead
// letters, which can be redelivered later.
func TestGone(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		var gone sync.Map
		r := receive(t, func(id string) int {
			if _, ok := gone.Load("gone"); ok {
				return http.StatusGone
			}
			return http.StatusOK
		})
		gone.Store("gone", true)
		w, _ := p.create(t, Settings{URL: r.URL})
		p.Start()
		id := p.tell(t, "shop", 1)
		r.until(t, "disabled", func() bool {
			s, err := p.Find(t.Context(), w.ID)
			return err == nil && !s.Enabled && s.DeadLetters == 1 && strings.Contains(s.Reason, "410")
		})
		p.tell(t, "shop", 2)
		if a, err := p.Redeliver(t.Context(), w.ID, id); err != nil || a.Status != http.StatusGone || a.Attempt != 2 {
			t.Errorf("redelivered: %+v, %v", a, err)
		}
		gone.Delete("gone")
		if a, err := p.Redeliver(t.Context(), w.ID, id); err != nil || !a.ok() || a.Attempt != 3 {
			t.Errorf("redelivered: %+v, %v", a, err)
		}
		if _, err := p.DeadLetter(t.Context(), w.ID, id); err == nil {
			t.Error("the dead letter is still there")
		}
		if _, err := p.Change(t.Context(), w.ID, Settings{URL: r.URL}, true); err != nil {
			t.Fatal(err)
		}
		next := p.tell(t, "shop", 3)
		r.until(t, "called again", r.has(next))
		if got := r.ids(); !slices.Equal(got, []string{id, next}) { // it does not get the event that was stored while it was disabled
			t.Errorf("taken %v", got)
		}
	})
}

// TestOnlyWanted: a webhook gets only events of its instances and types, in its form.
func TestOnlyWanted(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		p.opt.Token = func(_ context.Context, instance string) (string, error) { return "token of " + instance, nil }
		p.Service = New(p.opt)
		r, other := receive(t, nil), receive(t, nil)
		p.create(t, Settings{URL: r.URL + "/in?key=1", Form: formSeed, Events: []string{"message.exchange"}, Instances: []string{"shop"}, Token: true})
		p.create(t, Settings{URL: other.URL, Events: []string{"whatsapp.message.status.v1"}, Instances: []string{"shop", "b"}})
		p.Start()
		click := engine.Outgoing{ID: "click", Type: "whatsapp.button.clicked.v1", Instance: "shop", Time: time.Now(), Data: example(t, "whatsapp.button.clicked.v1.json")}
		status := engine.Outgoing{ID: "status", Type: typeStatus, Instance: "b", Time: time.Now(), Data: example(t, "whatsapp.message.status.v1.json")}
		elsewhere := click
		elsewhere.ID, elsewhere.Instance = "elsewhere", "c"
		last := click
		last.ID = "last"
		if err := p.log.Tell(t.Context(), elsewhere, status, click, click, last)(); err != nil {
			t.Fatal(err)
		}
		r.until(t, "the click", r.has("click", "last"))
		other.until(t, "the status", other.has("status"))
		if got := r.ids(); len(got) != 2 {
			t.Errorf("taken %v", got)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		c := r.calls[0]
		var seed Seed
		if err := json.Unmarshal([]byte(c.body), &seed); err != nil || seed.Event != "message.exchange" || seed.InstanceData.Token != "token of shop" || c.path != "/in?key=1" {
			t.Errorf("%s got %s, %v", c.path, c.body, err)
		}
		if other.calls[0].header.Get("Authorization") != "" || strings.Contains(other.calls[0].body, "token of") {
			t.Error("a token was told to somebody who did not ask")
		}
	})
}

// TestSlowInstance: a failing event holds up no other instance, and in an unordered webhook no other
// event at all.
func TestSlowInstance(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		bad := func(id string) int {
			if id == "bad-0001" {
				return http.StatusInternalServerError
			}
			return http.StatusOK
		}
		ordered, unordered := receive(t, bad), receive(t, bad)
		p.create(t, Settings{URL: ordered.URL})
		p.create(t, Settings{URL: unordered.URL, Unordered: true})
		p.Start()
		p.tell(t, "bad", 1)
		behind := p.tell(t, "bad", 2)
		fine := p.tell(t, "fine", 1)
		unordered.until(t, "all but the bad one", unordered.has(behind, fine))
		ordered.until(t, "the other instance", ordered.has(fine))
		if slices.Contains(ordered.ids(), behind) {
			t.Error("an event overtook one of its instance")
		}
	})
}
