package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/clicks"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

const (
	shopNumber = "551130000001"
	anaNumber  = "5511988880001"
)

// world is a simulated WhatsApp and the node, used through the contract.
type world struct {
	t   *testing.T
	sim *wasim.Server
	dir string
	dsn string // Postgres; empty: SQLite in dir

	leased bool   // an instance waits for its claim if the database can be shared
	epoch  uint64 // of the lease of every call that names none

	node *client.Client
	stop func()
}

func newWorld(t *testing.T, options wasim.Options) *world {
	t.Helper()
	sim, err := wasim.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	return worldOn(t, sim, t.TempDir(), newDatabase(t))
}

// worldOn is newWorld on a directory and a database of the test.
func worldOn(t *testing.T, sim *wasim.Server, dir, dsn string) *world {
	t.Helper()
	w := &world{t: t, sim: sim, dir: dir, dsn: dsn}
	w.begin()
	return w
}

// begin starts a world with a simulator of its own.
func (w *world) begin() {
	w.t.Helper()
	w.t.Cleanup(func() {
		w.shut()
		if err := w.sim.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.start()
}

// start runs the node on the state that the last one left.
func (w *world) start() {
	w.t.Helper()
	c, stop, err := client.Local(New())
	if err != nil {
		w.t.Fatal(err)
	}
	w.node, w.stop = c, stop
	shared, err := c.ConfigureLeased(w.ctx(), w.setup())
	w.must(err)
	if want := w.leased && w.dsn != ""; shared != want {
		w.t.Fatalf("shared is %v, want %v", shared, want)
	}
}

func (w *world) setup() sdk.Setup {
	s := sdk.Setup{Settings: []byte(settingsFor(w.sim)), StateDir: w.dir, Leased: w.leased}
	if w.dsn != "" {
		s.Secrets = map[string][]byte{"/store/dsn": []byte(w.dsn)}
	}
	return s
}

func settingsFor(sim *wasim.Server) string {
	return fmt.Sprintf(`{"server":{"url":%q,"rootKey":%q},"pacing":{"perMinute":0},"timeouts":{"ack":5},"media":{"allowPrivate":true}}`, sim.URL(), sim.RootKey())
}

func (w *world) shut() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// ctx is for one step: a step that hangs fails at its deadline.
func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

// call executes an operation and decodes its output.
func (w *world) call(operation string, input any, into any) error {
	return w.execute(client.Request{Operation: operation, Input: raw(w.t, input)}, into)
}

func (w *world) execute(r client.Request, into any) error {
	w.t.Helper()
	if r.LeaseEpoch == 0 {
		r.LeaseEpoch = w.epoch
	}
	res, err := w.node.Execute(w.ctx(), r, nil)
	if err != nil {
		return err
	}
	if into != nil {
		if err := json.Unmarshal(res.Output, into); err != nil {
			w.t.Fatalf("output %s: %v", res.Output, err)
		}
	}
	return nil
}

// must fails the test when a call failed.
func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// pair creates an instance and links it to a new account.
func (w *world) pair(name, number string) *wasim.Account {
	w.t.Helper()
	account, err := w.sim.NewAccount(number)
	w.must(err)
	w.must(w.call("whatsapp.instance.create@1", named{name}, nil))
	if w.leased {
		w.must(w.node.Claim(w.ctx(), name, w.epoch))
	}
	w.link(name, account)
	return account
}

// link connects an instance and scans the first code it shows.
func (w *world) link(name string, account *wasim.Account) {
	w.t.Helper()
	scanned := make(chan error, 1)
	var out oneInstance
	res, err := w.node.Execute(w.ctx(), client.Request{Operation: "whatsapp.instance.connect@1", Input: raw(w.t, named{name}), LeaseEpoch: w.epoch}, func(p client.Progress) {
		var step struct{ QR string }
		if p.Stage == "qr" && json.Unmarshal(p.Data, &step) == nil {
			go func() { scanned <- account.Scan(w.ctx(), step.QR) }()
		}
	})
	w.must(err)
	w.must(<-scanned)
	w.must(json.Unmarshal(res.Output, &out))
	if out.Instance.State != "connected" || out.Instance.JID == nil || *out.Instance.Phone != account.Phone() {
		w.t.Fatalf("connect answered %s", res.Output)
	}
}

// subscribe opens a trigger.
func (w *world) subscribe(operation string, filter any) *client.Subscription {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w.t.Cleanup(cancel)
	s, err := w.node.Subscribe(ctx, client.Start{Operation: operation, Subscriber: "test", Filter: raw(w.t, filter)})
	w.must(err)
	return s
}

// next waits for one event and acknowledges it.
func (w *world) next(s *client.Subscription, into any) sdk.Event {
	w.t.Helper()
	type received struct {
		e   sdk.Event
		err error
	}
	got := make(chan received, 1)
	go func() {
		e, err := s.Recv()
		got <- received{e, err}
	}()
	select {
	case r := <-got:
		w.must(r.err)
		w.must(s.Ack(r.e.Sequence))
		w.must(json.Unmarshal(r.e.Data, into))
		return r.e
	case <-w.ctx().Done():
		w.t.Fatal("no event came")
		return sdk.Event{}
	}
}

func raw(t *testing.T, v any) []byte {
	t.Helper()
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// problemOf returns the problem that a call failed with.
func problemOf(t *testing.T, err error) *sdk.Problem {
	t.Helper()
	var p *sdk.Problem
	if !errors.As(err, &p) {
		t.Fatalf("got %v (%T), want a problem", err, err)
	}
	return p
}

// obj is a JSON object.
type obj = map[string]any

func menuTo(number string) obj {
	return obj{"instance": "shop", "number": number, "contentText": "How can we help?", "buttons": []obj{
		{"id": "sales", "displayText": "Talk to sales"},
		{"id": "support", "displayText": "Support"},
	}}
}

// customer is a phone of somebody else.
func (w *world) customer(number string, options ...wasim.Option) *wasim.Phone {
	w.t.Helper()
	w.sim.Trust()
	p, err := w.sim.NewPhone(w.ctx(), number, options...)
	w.must(err)
	return p
}

// writes lets a customer write to the shop, and waits until the node has stored it.
func (w *world) writes(p *wasim.Phone, text string) {
	w.t.Helper()
	received := w.subscribe(opMessageReceived, nil)
	_, err := p.SendText(w.ctx(), w.sim.Account(shopNumber).LID(), text)
	w.must(err)
	var r clicks.MessageReceived
	for r.Text != text {
		w.next(received, &r)
	}
}

// until polls a condition; the deadline decides.
func (w *world) until(ready func() bool) {
	w.t.Helper()
	for ctx := w.ctx(); !ready(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			w.t.Fatal("it did not come to that")
		}
	}
}

func (w *world) fault(r wasim.FaultRule) {
	w.t.Helper()
	_, err := w.sim.AddFault(r)
	w.must(err)
}

func unmarshal(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
}
