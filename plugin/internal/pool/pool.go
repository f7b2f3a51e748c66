package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	waBinary "go.mau.fi/whatsmeow/binary"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"

	"github.com/tapnode/tapnode/internal/crowd"
	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// maxDialing is how many instances dial at the same time: a process that starts with
// a thousand must not look like an attack.
const maxDialing = 8

// Sent is a message of ours as it first left.
type Sent struct {
	Message *waE2E.Message
	Nodes   []waBinary.Node // SendRequestExtra.AdditionalNodes
}

// Options of a pool. Those not called optional are required.
type Options struct {
	Registry *registry.Registry
	Devices  *session.Devices
	Log      *slog.Logger
	Server   *Server // nil: WhatsApp itself
	Limits   Limits
	// Leased says that other processes share the database: no instance is this process's
	// before it has claimed it.
	Leased bool
	// RefreshVersion lets the pool ask web.whatsapp.com which version of WhatsApp Web is
	// current, at the start and when WhatsApp calls ours outdated.
	RefreshVersion bool

	// Storage knows whether the database of Registry and Devices works.
	Storage *sqldb.Monitor

	// OnMessage stores an incoming message, with from, what was decrypted of it and is not stored
	// yet; nil: nothing. WhatsApp gets its acknowledgement after stored returned nil, or
	// OnMessage without one, and delivers the message again after an error. ctx lasts until then.
	OnMessage func(ctx context.Context, i *Instance, m *events.Message, from *session.Decryption) (stored func() error, err error)
	// OnReceipt stores a receipt. After an error WhatsApp delivers it again. Optional.
	OnReceipt func(ctx context.Context, i *Instance, r *events.Receipt) error
	// OnGroup stores what changed about a group. Optional.
	OnGroup func(ctx context.Context, i *Instance, g *events.GroupInfo) error
	// OnTimelock hears that WhatsApp locks or unlocks new chats. Optional.
	OnTimelock func(ctx context.Context, i *Instance, l *events.NotifyAccountReachoutTimelock)
	// Find answers from the ledger what a message of ours looked like; nil if it is
	// not in it, or went to another chat.
	Find func(ctx context.Context, instance string, chat types.JID, id types.MessageID) (*Sent, error)
	// Changed hears that an instance has another account than the one before, and that
	// what was stored for that one is gone. Optional.
	Changed func(ctx context.Context, instance string)
	// Notify hears of every change of a status. It must not block. Optional.
	Notify func(instance string, s Status)
	// Removed hears that an instance is gone, or another process's. It must not block. Optional.
	Removed func(instance string)
}

// Limits of the instances; a zero member means its default.
type Limits struct {
	Login     time.Duration // from dialling to logged in, 30 s
	Ack       time.Duration // waiting for the server's answer to a message, 25 s
	Store     time.Duration // one OnMessage, 10 s
	Lasting   time.Duration // after which a connection is a good one, 30 s
	Silence   time.Duration // without a keep-alive answer before a connection is given up, 75 s
	HangUp    time.Duration // for the server to hang up, 1 s
	Queue     int           // sends that wait for one instance, 200
	PerMinute int           // messages of one instance, 0: no limit
	Burst     int           // of them at once, 10
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&l.Login, 30*time.Second)
	set(&l.Ack, 25*time.Second)
	set(&l.Store, 10*time.Second)
	set(&l.Lasting, 30*time.Second)
	set(&l.Silence, 75*time.Second)
	set(&l.HangUp, time.Second)
	if l.Queue <= 0 {
		l.Queue = 200
	}
	if l.Burst <= 0 {
		l.Burst = 10
	}
	return l
}

// Pool is all instances of a process.
type Pool struct {
	opts   Options
	client *http.Client // every websocket and every media transfer
	wires  *wires
	web    *web
	dials  chan struct{}
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	moved     bell        // see Away
	others    *others     // with Options.Leased
	receiving crowd.Crowd // the instances

	mu     sync.RWMutex
	byName map[string]*Instance
	closed bool
}

// Open reads the registry and begins to connect the instances that were online, unless
// they wait for a claim. It returns before they are connected.
func Open(ctx context.Context, opts Options) (*Pool, error) {
	opts.Limits = opts.Limits.withDefaults()
	signalLog.to.Store(opts.Log)
	if opts.Server != nil {
		opts.Server.trust()
		opts.Log.Warn("WhatsApp is simulated: this process trusts another server and cannot reach the real one", "server", opts.Server.addr)
	}
	records, err := opts.Registry.Instances(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the instances: %w", err)
	}
	p := &Pool{
		opts:   opts,
		wires:  newWires(),
		dials:  make(chan struct{}, maxDialing),
		byName: make(map[string]*Instance, len(records)),
		others: newOthers(),
	}
	p.client = &http.Client{Transport: transport(opts.Server, p.wires)}
	p.ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.web = newWeb(p)
	if opts.RefreshVersion && !p.web.recall(ctx) {
		p.wg.Go(func() { p.web.refresh(p.ctx) })
	}
	if opts.Leased {
		if err := p.share(ctx, records); err != nil {
			return nil, errors.Join(err, p.Close(ctx))
		}
		return p, nil
	}
	for _, r := range records {
		if _, err := p.add(ctx, r); err != nil {
			return nil, errors.Join(err, p.Close(ctx))
		}
	}
	return p, nil
}

// add takes an instance in and starts its supervisor.
func (p *Pool) add(ctx context.Context, r registry.Instance) (*Instance, error) {
	i, err := newInstance(ctx, p, r)
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", r.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return nil, ErrClosed
	case p.byName[r.Name] != nil:
		return nil, sqldb.ErrExists
	}
	p.byName[r.Name] = i
	now := i.Status()
	i.set(now.State, now.Trouble)
	p.wg.Go(func() { i.supervise() })
	return i, nil
}

// begin lets Close wait for work that a caller has begun, until p.wg.Done.
func (p *Pool) begin() error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return ErrClosed
	}
	p.wg.Add(1)
	return nil
}

// Create registers a new instance. It is not connected. The errors are the store's.
func (p *Pool) Create(ctx context.Context, name string) (*Instance, error) {
	r, err := p.opts.Registry.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	if old, err := p.Get(name); err == nil { // another process has deleted it
		p.drop(ctx, old)
	}
	return p.add(ctx, r)
}

// Get returns an instance by name, or sqldb.ErrNotFound.
func (p *Pool) Get(name string) (*Instance, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if i := p.byName[name]; i != nil {
		return i, nil
	}
	return nil, sqldb.ErrNotFound
}

// Find is Get for an instance that another process on the same database may have
// created meanwhile.
func (p *Pool) Find(ctx context.Context, name string) (*Instance, error) {
	if i, err := p.Get(name); err == nil {
		return i, nil
	}
	r, err := p.opts.Registry.Instance(ctx, name)
	if err != nil {
		return nil, err
	}
	i, err := p.add(ctx, r)
	if errors.Is(err, sqldb.ErrExists) { // another call was faster
		return p.Get(name)
	}
	return i, err
}

// List returns all instances by name.
func (p *Pool) List() []*Instance {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all := make([]*Instance, 0, len(p.byName))
	for _, i := range p.byName {
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b *Instance) int { return strings.Compare(a.name, b.name) })
	return all
}

// Delete logs an instance out as far as WhatsApp can be reached, ends it and
// forgets it.
func (p *Pool) Delete(ctx context.Context, name string) error {
	i, err := p.Get(name)
	if err != nil {
		return err
	}
	if err := i.Logout(ctx); err != nil {
		return err
	}
	i.cancel()
	select {
	case <-i.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := p.opts.Registry.Delete(ctx, name); err != nil {
		return err
	}
	p.forget(i)
	return nil
}

// forget takes an instance out that has ended.
func (p *Pool) forget(i *Instance) {
	p.mu.Lock()
	if p.byName[i.name] == i {
		delete(p.byName, i.name)
	}
	p.mu.Unlock()
	p.moved.ring()
	p.compare(i)
	p.disown(i.name)
}

func (p *Pool) removed(name string) {
	if p.opts.Removed != nil {
		p.opts.Removed(name)
	}
}

// Close disconnects every instance and waits for all goroutines, at most until ctx
// ends. A WhatsApp that does not answer is waited for [goodbye]. It may be called again.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	ended := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(ended)
	}()
	defer time.AfterFunc(goodbye, p.wires.cut).Stop()
	defer p.client.CloseIdleConnections()
	select {
	case <-ended:
		if p.opts.Leased {
			p.leave(ctx)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("instances are still disconnecting: %w", ctx.Err())
	}
}
