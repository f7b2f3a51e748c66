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

// maxDialing is how many instances dial at the same time: a process that starts with a thousand
// instances must not look like an attack.
const maxDialing = 8

// Sent is a message of ours as it was first sent.
type Sent struct {
	Message *waE2E.Message
	Nodes   []waBinary.Node // SendRequestExtra.AdditionalNodes
}

// Options of a pool. Fields not marked optional are required.
type Options struct {
	Registry *registry.Registry
	Devices  *session.Devices
	Log      *slog.Logger
	Server   *Server // nil: WhatsApp itself
	Limits   Limits
	// Leased says that other processes share the database: this process owns an instance only after
	// it has claimed it.
	Leased bool
	// RefreshVersion lets the pool ask web.whatsapp.com which version of WhatsApp Web is current:
	// at startup, and whenever WhatsApp rejects our version as outdated.
	RefreshVersion bool

	// Storage reports whether the database of Registry and Devices works.
	Storage *sqldb.Monitor

	// OnMessage stores an incoming message. from holds the part of its decryption that is not
	// stored yet; nil means there is none. WhatsApp receives the acknowledgement once stored has
	// returned nil, or once OnMessage has returned without a stored function; after an error
	// WhatsApp delivers the message again. ctx is valid until then.
	OnMessage func(ctx context.Context, i *Instance, m *events.Message, from *session.Decryption) (stored func() error, err error)
	// OnReceipt stores a receipt. After an error WhatsApp delivers the receipt again. Optional.
	OnReceipt func(ctx context.Context, i *Instance, r *events.Receipt) error
	// OnGroup stores a change to a group. Optional.
	OnGroup func(ctx context.Context, i *Instance, g *events.GroupInfo) error
	// OnTimelock is called when WhatsApp locks or unlocks new chats. Optional.
	OnTimelock func(ctx context.Context, i *Instance, l *events.NotifyAccountReachoutTimelock)
	// Find returns a message of ours from the ledger, or nil if the ledger does not have it or the
	// message went to another chat.
	Find func(ctx context.Context, instance string, chat types.JID, id types.MessageID) (*Sent, error)
	// Changed is called after an instance was paired with a different account and the data stored
	// for the previous account was deleted. Optional.
	Changed func(ctx context.Context, instance string)
	// Notify is called on every status change. It must not block. Optional.
	Notify func(instance string, s Status)
	// Removed is called when an instance is deleted or now belongs to another process. It must not
	// block. Optional.
	Removed func(instance string)
}

// Limits of the instances; a zero field means the default.
type Limits struct {
	Login     time.Duration // from dialling to login, 30 s
	Ack       time.Duration // wait for the server's answer to a message, 25 s
	Store     time.Duration // one OnMessage call, 10 s
	Lasting   time.Duration // a connection that lasts this long counts as stable, 30 s
	Silence   time.Duration // time without a keep-alive answer before a connection is dropped, 75 s
	HangUp    time.Duration // time for the server to close the connection, 1 s
	Queue     int           // sends that may wait for one instance, 200
	PerMinute int           // messages per instance, 0: no limit
	Burst     int           // messages allowed in one burst, 10
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

// Pool holds all instances of a process.
type Pool struct {
	opts   Options
	client *http.Client // for every websocket and media transfer
	wires  *wires
	web    *web
	dials  chan struct{}
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	moved     bell        // see Away
	others    *others     // with Options.Leased
	receiving crowd.Crowd // instances that receive messages

	mu     sync.RWMutex
	byName map[string]*Instance
	closed bool
}

// Open reads the registry and starts connecting the instances that were online, except those that
// must be claimed first. It returns before they are connected.
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

// add adds an instance to the pool and starts its supervisor.
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

// begin registers work started by a caller, so that Close waits for it until p.wg.Done.
func (p *Pool) begin() error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return ErrClosed
	}
	p.wg.Add(1)
	return nil
}

// Create registers a new instance, which is not connected yet. Its errors are the store's.
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

// Find is like Get, but also finds an instance that another process created meanwhile in the same
// database.
func (p *Pool) Find(ctx context.Context, name string) (*Instance, error) {
	if i, err := p.Get(name); err == nil {
		return i, nil
	}
	r, err := p.opts.Registry.Instance(ctx, name)
	if err != nil {
		return nil, err
	}
	i, err := p.add(ctx, r)
	if errors.Is(err, sqldb.ErrExists) { // a concurrent call added it first
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

// Delete logs an instance out if WhatsApp can be reached, stops it and removes it.
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

// forget removes an instance that has ended from the pool.
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

// Close disconnects every instance and waits for all goroutines, but no longer than ctx. If
// WhatsApp does not answer, Close waits for [goodbye] before it cuts the connections. Close may be
// called more than once.
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
