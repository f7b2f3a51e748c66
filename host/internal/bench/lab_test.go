package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/host/internal/app"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/internal/sqldb/sqldbtest"
	"github.com/tapnode/tapnode/plugin/wasim"
	"github.com/tapnode/tapnode/plugin/wasim/bare"
	"github.com/tapnode/tapnode/sdk"
)

const (
	labTimeout  = 30 * time.Minute // for a whole measurement; sends have deadlines of their own
	typeClicked = "whatsapp.button.clicked.v1"
	customers   = 50
)

// lab is a simulated WhatsApp with the arms that are compared on it.
type lab struct {
	tb   testing.TB
	ctx  context.Context
	sim  *wasim.Server
	dir  string
	data string // of the host
	host *app.App

	postgres  string     // the node's database; empty: SQLite
	runs      engine.Log // nil: the host keeps them in memory
	perMinute int        // messages per instance; 0: no limit

	tapnode *arm   // the host and the node binary, with the default settings of its store
	alone   *crew  // bare: synchronous=FULL like our store, one file for all clients, in a process of its own
	full    *fleet // bare: the same, but in the simulator's process
	usual   *fleet // bare: synchronous=NORMAL, one file per client, in the simulator's process

	customers []*wasim.Account // played by the server, so that they cost next to nothing
	invited   int              // how many audiences were invited so far
	met       int              // how many strangers were created so far
	events    atomic.Pointer[func(sdk.Event)]
}

// arm is one way to send the menu and to receive clicks.
type arm struct {
	name     string
	accounts []*wasim.Account // the accounts of its instances
	clicks   chan time.Time   // the time at which each click arrived

	grow func(n int) error // pairs and connects more instances, up to n
	send func(ctx context.Context, from int, to *wasim.Account) error

	greet func(ctx context.Context, from int, to *wasim.Account) error // send to an account that nobody has looked up

	// run does errands, atOnce of them at a time. It returns how long each message took, in ms, and
	// how long all of them took together.
	run func(ctx context.Context, all []errand, atOnce int) (took []float64, whole time.Duration, err error)
}

// errand is an order to send the menu from one instance to a list of accounts, one after the other.
type errand struct {
	from  int
	to    []*wasim.Account
	greet bool // nobody has looked the accounts up
}

// heard notes a click. The channel has room for every click of a measurement.
func (a *arm) heard() { a.clicks <- time.Now() }

func newArm(name string) *arm {
	a := &arm{name: name, clicks: make(chan time.Time, 1<<15)}
	a.run = func(ctx context.Context, all []errand, atOnce int) ([]float64, time.Duration, error) {
		return work(len(all), atOnce, func(i int, done func()) error {
			send := a.send
			if all[i].greet {
				send = a.greet
			}
			for _, to := range all[i].to {
				if err := send(ctx, all[i].from, to); err != nil {
					return err
				}
				done()
			}
			return nil
		})
	}
	return a
}

// emptyLab starts a simulated WhatsApp without accounts.
func emptyLab(tb testing.TB) *lab {
	tb.Helper()
	l := &lab{tb: tb, dir: tb.TempDir()}
	l.data = filepath.Join(l.dir, "host")
	var cancel context.CancelFunc
	l.ctx, cancel = context.WithTimeout(context.Background(), labTimeout)
	tb.Cleanup(cancel)
	var err error
	// The tables need more accounts than the simulator's default limit of 20,000, and accounts are
	// never removed.
	l.sim, err = wasim.Start(wasim.Options{Limits: wasim.Limits{Accounts: 50_000}})
	l.must(err)
	tb.Cleanup(func() { l.check(l.sim.Close()) })
	l.sim.Trust() // the phones are in this process
	return l
}

// newLab starts a host with one instance and pairs one bare client of each kind.
func newLab(tb testing.TB) *lab {
	tb.Helper()
	l := emptyLab(tb)
	m := l.open()
	l.alone = l.crewArm("bare, own process", "55116", m, "alone.db")
	l.full = l.bareArm("bare, FULL, one file", bare.Full, "55114", m, func(int) string { return "full.db" })
	l.usual = l.bareArm("bare, NORMAL, own files", bare.Normal, "55115", m, func(i int) string { return fmt.Sprintf("own%d.db", i) })
	l.grow(1)
	return l
}

// newPostgresLab is newLab on a Postgres server, with one database for the node and one for all bare
// clients of an arm; the clients of the other arm share one SQLite file at FULL.
func newPostgresLab(tb testing.TB) *lab {
	tb.Helper()
	node, clients := sqldbtest.Postgres(tb), sqldbtest.Postgres(tb)
	l := emptyLab(tb)
	l.postgres = node
	m := l.open()
	l.alone = l.crewArm("bare, own process", "55116", m, sqldbtest.Postgres(tb))
	l.full = l.bareArm("bare, Postgres", bare.Full, "55114", m, func(int) string { return clients })
	l.usual = l.bareArm("bare, FULL, one file", bare.Full, "55115", m, func(int) string { return "full.db" })
	l.grow(1)
	return l
}

// open starts a host with one instance, and finds out what its messages look like.
func (l *lab) open() sample {
	l.tb.Helper()
	for i := range customers {
		a, err := l.sim.NewAccount(fmt.Sprintf("55119777%05d", i))
		l.must(err)
		l.customers = append(l.customers, a)
	}
	l.tapnode = l.hostArm()
	l.must(l.tapnode.grow(1))
	return l.model()
}

func (l *lab) arms() []*arm { return []*arm{l.tapnode, l.alone.arm, l.full.arm, l.usual.arm} }

// grow gives every arm n instances, each of which has sent to its customer before, so that
// sessions and lookups are warm in all arms.
func (l *lab) grow(n int) {
	l.tb.Helper()
	for _, a := range l.arms() {
		began := len(a.accounts)
		l.must(a.grow(n))
		for i := began; i < n; i++ {
			l.must(a.send(l.ctx, i, l.customer(i)))
		}
	}
}

func (l *lab) customer(i int) *wasim.Account { return l.customers[i%len(l.customers)] }

// model has the host send the menu to a phone once. The bare clients send the message as the phone
// decoded it, with the stanza nodes that the server saw.
func (l *lab) model() sample {
	l.tb.Helper()
	return l.seen("5511966660000", func(to *wasim.Account) error { return l.tapnode.send(l.ctx, 0, to) })
}

// seen sends a menu to the phone of a number and returns what arrives.
func (l *lab) seen(number string, send func(to *wasim.Account) error) sample {
	l.tb.Helper()
	phone, err := l.sim.NewPhone(l.ctx, number)
	l.must(err)
	l.must(send(phone.Account()))
	m, err := phone.Wait(l.ctx, func(m wasim.Message) bool { return len(m.Buttons) > 0 })
	l.must(err)
	record, ok := l.sim.Record(m.ID)
	if !ok || m.Biz != 1 {
		l.tb.Fatalf("the menu arrived with %d <biz> nodes", m.Biz)
	}
	return sample{m, record.Attempts[0]}
}

// sample is a menu as it was sent: the decoded message and the stanza.
type sample struct {
	message wasim.Message
	stanza  wasim.Attempt
}

// menu is the request that the host receives.
func menu(instance, number string) []byte { return request(instance, number, "") }

// request is a menu, with a picture as its header if there is one.
func request(instance, number, picture string) []byte {
	type button struct {
		ID          string `json:"id"`
		DisplayText string `json:"displayText"`
	}
	all := map[string]any{
		"instance": instance, "number": number, "headerText": "Order 4711",
		"contentText": "Your parcel is at the pick-up point and waits there until Friday. What shall we do with it?",
		"footerText":  "Answer whenever you like",
		"buttons":     []button{{"keep", "I will fetch it"}, {"home", "Bring it home"}, {"back", "Send it back"}},
	}
	if picture != "" {
		all["mediaUrl"], all["mediaType"] = picture, "IMAGE"
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // unreachable: strings marshal
	}
	return raw
}

// together runs f for each i with from ≤ i < to, a few at a time.
func together(from, to int, f func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(4)
	for i := from; i < to; i++ {
		g.Go(func() error { return f(i) })
	}
	return g.Wait()
}

func (l *lab) must(err error) {
	l.tb.Helper()
	fatal(l.tb, err)
}

func fatal(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func (l *lab) check(err error) {
	if err != nil {
		l.tb.Error(err)
	}
}
