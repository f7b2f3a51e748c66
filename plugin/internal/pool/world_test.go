package pool

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
	"github.com/tapnode/tapnode/plugin/wasim"

	"github.com/tapnode/tapnode/plugin/internal/store/registry"
)

// world is a simulated WhatsApp and a database, with pools on it.
type world struct {
	t   *testing.T
	sim *wasim.Server
	db  *store.Store
}

func newWorld(t *testing.T, options wasim.Options) *world {
	t.Helper()
	sim, err := wasim.Start(options)
	must(t, err)
	t.Cleanup(func() { must(t, sim.Close()) })
	// Relaxed, because none of these tests is about power cuts.
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), Relaxed: true})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return &world{t: t, sim: sim, db: db}
}

// ctx returns a context for one step, so that a step that hangs fails.
func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	w.t.Cleanup(cancel)
	return ctx
}

// open opens a pool; change may be nil.
func (w *world) open(change func(*Options)) *Pool {
	w.t.Helper()
	server, err := ParseServer(w.sim.URL(), w.sim.RootKey())
	must(w.t, err)
	o := Options{
		Registry: w.db.Registry, Devices: w.db.Devices, Storage: w.db.DB.Monitor(nil), Server: server, Log: slog.New(slog.DiscardHandler),
		OnMessage: func(context.Context, *Instance, *events.Message, *session.Decryption) (func() error, error) {
			return nil, nil
		},
		Find: func(context.Context, string, types.JID, types.MessageID) (*Sent, error) { return nil, nil },
	}
	if change != nil {
		change(&o)
	}
	p, err := Open(w.ctx(), o)
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, p.Close(w.ctx())) })
	return p
}

// pair creates an instance and links it to a new account.
func (w *world) pair(p *Pool, n int) (*Instance, *wasim.Account, error) {
	account, err := w.sim.NewAccount(fmt.Sprintf("55113%08d", n))
	if err != nil {
		return nil, nil, err
	}
	i, err := p.Create(w.ctx(), fmt.Sprintf("shop-%03d", n))
	if err != nil {
		return nil, nil, err
	}
	return i, account, w.link(i, account)
}

// adopt registers an instance that is paired and wanted online, for the next pool.
func (w *world) adopt(n int) *wasim.Device {
	w.t.Helper()
	account, err := w.sim.NewAccount(fmt.Sprintf("55113%08d", n))
	must(w.t, err)
	device, err := account.Adopt(w.ctx(), w.db.Devices.NewDevice())
	must(w.t, err)
	name := fmt.Sprintf("shop-%03d", n)
	_, err = w.db.Registry.Create(w.ctx(), name)
	must(w.t, err)
	must(w.t, w.db.Registry.SetDevice(w.ctx(), name, device.JID().String(), ""))
	must(w.t, w.db.Registry.SetWanted(w.ctx(), name, registry.Connected))
	return device
}

// link connects an instance and scans the code it shows.
func (w *world) link(i *Instance, account *wasim.Account) error {
	scanned := make(chan error, 1)
	err := i.Connect(w.ctx(), "", func(step Prompt) {
		if step.Stage == StageQR {
			go func() { scanned <- account.Scan(w.ctx(), step.QR) }()
		}
	})
	if err != nil {
		return err
	}
	return <-scanned
}

// until waits for a status.
func (w *world) until(i *Instance, what string, ok func(Status) bool) Status {
	w.t.Helper()
	now, err := i.await(w.ctx(), ok)
	if err != nil {
		w.t.Fatalf("%s never was %s: it is %s %+v", i.Name(), what, now.State, now.Trouble)
	}
	return now
}

func trouble(code string) func(Status) bool {
	return func(s Status) bool { return s.Trouble != nil && s.Trouble.Code == code }
}

func in(state State) func(Status) bool { return func(s Status) bool { return s.State == state } }
