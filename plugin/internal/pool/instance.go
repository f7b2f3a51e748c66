package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.mau.fi/whatsmeow"
	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/proto/waWa6"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"go.mau.fi/whatsmeow/types/events"
	"golang.org/x/time/rate"

	"github.com/tapnode/tapnode/plugin/internal/gather"
	"github.com/tapnode/tapnode/plugin/internal/store/registry"
	"github.com/tapnode/tapnode/plugin/internal/store/session"
)

// Instance is one WhatsApp account in the pool. Its methods are safe for
// concurrent use.
type Instance struct {
	name    string
	created time.Time
	pool    *Pool
	log     *slog.Logger
	ctx     context.Context
	cancel  context.CancelFunc
	beyond  context.Context // for whatsmeow's background work: ends once ctx has ended and the connection is closed
	hush    context.CancelFunc
	done    chan struct{} // closed when the supervisor has ended

	cli     atomic.Pointer[whatsmeow.Client] // nil: not paired
	signals chan signal                      // connection events for the supervisor
	wake    chan struct{}                    // the wanted state has changed
	pairing atomic.Pointer[pairing]          // the pairing in progress

	dials       atomic.Uint64  // number of connections begun
	heard       atomic.Uint64  // the last connection on which WhatsApp delivered everything it had kept
	turn        chan struct{}  // held by the send in progress
	line        atomic.Int64   // sends waiting or in progress
	acquainted  *acquaintances // people and keys queried ahead of sends
	meeting     *gather.Gather[types.JID, struct{}]
	numbers     *gather.Gather[string, []types.IsOnWhatsAppResponse]
	asking      asking                          // retry receipts with keys
	arriving    arriving                        // stanzas whose messages whatsmeow has not handed over yet
	acks        *acks                           // messages being written to disk
	single      atomic.Uint64                   // up to this connection number, each message waits for the disk on its own
	readdressed atomic.Pointer[types.MessageID] // the last message whose recipient now has another LID
	waiting     atomic.Int64                    // message copies to be retried later
	pace        *rate.Limiter                   // nil: no limit
	epoch       atomic.Uint64                   // epoch of the lease this process has claimed; 0: none
	claiming    chan struct{}                   // held by a call that claims or checks a lease

	presented wastore.WAVersionContainer // client version of the last connection; only the supervisor uses it
	remembers atomic.Bool                // the registry holds a trouble of the instance

	account atomic.Pointer[Account] // our copy: whatsmeow writes its own without a lock

	unstored atomic.Pointer[error] // why storing failed on the current connection; nil: it works
	slow     atomic.Int64          // see timed
	kept     atomic.Int64          // items that could not be stored since the last dial

	mu      sync.Mutex
	online  bool // should be online
	lost    bool // another process may own the instance, see Lease
	unsure  bool // recent logins did not last
	status  Status
	changed chan struct{} // closed at the next change of status
}

// errNoToken is returned because only Messenger clients log in with a token (CAT) that can be
// renewed.
var errNoToken = errors.New("there is no login token to renew")

// signal is a connection event of one client.
type signal struct {
	cli *whatsmeow.Client
	evt any
}

func newInstance(ctx context.Context, p *Pool, r registry.Instance) (*Instance, error) {
	i := &Instance{
		name:     r.Name,
		created:  r.CreatedAt,
		pool:     p,
		log:      p.opts.Log.With("instance", r.Name),
		done:     make(chan struct{}),
		signals:  make(chan signal, 64),
		wake:     make(chan struct{}, 1),
		acks:     newAcks(func() bool { return p.receiving.Alone(r.Name) }),
		turn:     make(chan struct{}, 1),
		claiming: make(chan struct{}, 1),

		acquainted: newAcquaintances(),
		lost:       r.Epoch > 0 || p.opts.Leased,
		online:     r.Wanted == registry.Connected,
		changed:    make(chan struct{}),
	}
	i.meeting = gather.New(meetAtOnce, p.opts.Limits.Ack, i.meet)
	i.numbers = gather.New(meetAtOnce, p.opts.Limits.Ack, i.onWhatsApp)
	if n := p.opts.Limits.PerMinute; n > 0 {
		i.pace = rate.NewLimiter(rate.Limit(float64(n)/60), p.opts.Limits.Burst)
	}
	i.ctx, i.cancel = context.WithCancel(p.ctx)
	// When a whatsmeow query's context ends while its frame is being written, whatsmeow closes the
	// channel on which the answer may be arriving (Client.cancelResponse, receiveResponse). So this
	// context outlives i.ctx.
	i.beyond, i.hush = context.WithCancel(context.WithoutCancel(p.ctx))
	if err := i.load(ctx, r); err != nil {
		return nil, err
	}
	i.status = i.recall(r)
	switch {
	case p.opts.Leased && r.Epoch > 0:
		i.status.Trouble = leaseLost()
	case i.lost:
		i.status.Trouble = unclaimed()
	}
	return i, nil
}

// newClient makes a client that leaves reconnecting and all history syncs to us.
func (i *Instance) newClient(device *wastore.Device) *whatsmeow.Client {
	device.Container = container{device.Container, i.pool.opts.Limits.Store}
	cli := whatsmeow.NewClient(device, clientLog{waLogger{i.log}, i.see})
	remembersNothing(cli)
	cli.EnableAutoReconnect = false
	cli.DisableLoginAutoReconnect = true
	cli.EnableDecryptedEventBuffer = true // keeps the plaintext for a redelivery after the ratchet has moved on
	cli.SynchronousAck = true             // WhatsApp may forget a message only after the handler stored it
	cli.ManualHistorySyncDownload = true
	cli.BackgroundEventCtx = i.beyond
	cli.SetMediaHTTPClient(i.pool.client)
	cli.SetWebsocketHTTPClient(i.pool.client)
	cli.SetPreLoginHTTPClient(i.pool.client)
	cli.SetMaxParallelRetryReceiptHandling(4)
	cli.GetClientPayload = func() *waWa6.ClientPayload { return i.pool.web.payload(device) }
	// Without this, whatsmeow calls a nil function when the server mentions the token.
	cli.RefreshCAT = func(context.Context) error { return errNoToken }
	cli.GetMessageForRetry = func(_, to types.JID, id types.MessageID) *waE2E.Message {
		return i.messageForRetry(cli, to, id)
	}
	cli.PreRetryCallback = func(r *events.Receipt, id types.MessageID, n int, msg *waE2E.Message) bool {
		return !i.resend(cli, r, id, n, msg)
	}
	cli.AddEventHandlerWithSuccessStatus(func(evt any) bool { return i.handle(cli, evt) })
	return cli
}

// handle is whatsmeow's event handler. If it returns false, the server keeps the message.
func (i *Instance) handle(cli *whatsmeow.Client, evt any) (ok bool) {
	defer func() {
		if r := recover(); r != nil { // whatsmeow would count a panic as success
			i.log.Error("an event handler panicked", "event", fmt.Sprintf("%T", evt), "panic", fmt.Sprint(r), "stack", redact(string(debug.Stack())))
			ok = false
		}
	}()
	switch e := evt.(type) {
	case *events.Message:
		return i.receive(cli, e)
	case *events.Receipt:
		if on := i.pool.opts.OnReceipt; on != nil {
			ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
			defer cancel()
			return i.stored(cli, "receipt", on(ctx, i, e))
		}
	case *events.GroupInfo:
		if on := i.pool.opts.OnGroup; on != nil {
			ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
			defer cancel()
			return i.stored(cli, "change of a group", on(ctx, i, e))
		}
	case *events.NotifyAccountReachoutTimelock:
		if on := i.pool.opts.OnTimelock; on != nil {
			ctx, cancel := context.WithTimeout(i.ctx, i.pool.opts.Limits.Store)
			defer cancel()
			on(ctx, i, e)
		}
	case *events.PushNameSetting:
		i.renamed(e.Action.GetName())
	case *events.OfflineSyncCompleted:
		line := i.dials.Load()
		heard := func() {
			i.heard.Store(line)
			i.pool.moved.ring()
		}
		if !i.acks.add(i.ctx, arrival{then: heard}, i.acknowledge) {
			heard()
		}
	case *events.Connected:
		i.loggedIn(cli)
		i.signal(cli, evt)
	case *events.Disconnected, *events.ManualLoginReconnect, *events.StreamError,
		*events.KeepAliveTimeout, *events.KeepAliveRestored, events.PermanentDisconnect:
		i.signal(cli, evt)
	}
	return true
}

// receive stores a message and reports whether whatsmeow may acknowledge it.
func (i *Instance) receive(cli *whatsmeow.Client, m *events.Message) bool {
	if i.storeFailed() != nil {
		return false // this connection is being dropped; WhatsApp delivers the message again on the next one
	}
	// A message already being written to disk is stored even if the instance ends meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(i.ctx), i.pool.opts.Limits.Store)
	timed := i.timed()
	end := func() {
		timed()
		cancel()
	}
	defer func() { end() }()
	stanza := i.arriving.take(m)
	decrypted := session.Decrypted(cli.Store)
	var stored func() error
	var err error
	if m.Info.SenderAlt.IsEmpty() { // the server does not always include the sender's other address
		m.Info.SenderAlt, err = cli.Store.GetAltJID(ctx, m.Info.Sender)
	}
	if err == nil {
		stored, err = i.pool.opts.OnMessage(ctx, i, m, decrypted)
	}
	if err != nil || stored == nil {
		return i.stored(cli, "message", err)
	}
	if line := i.dials.Load(); stanza != nil && decrypted != nil && line > i.single.Load() {
		whenStored, done := stored, end
		later := arrival{cli: cli, line: line, event: m, stanza: stanza, stored: func() error {
			defer done()
			return whenStored()
		}}
		if i.acks.add(i.ctx, later, i.acknowledge) {
			end = func() {}
			return false
		}
	}
	return i.stored(cli, "message", stored())
}

// stored returns what the event handler reports to whatsmeow for an incoming stanza: after an error
// the stanza stays at the server, and the supervisor arranges its redelivery.
func (i *Instance) stored(cli *whatsmeow.Client, what string, err error) bool {
	if err == nil {
		return true
	}
	if i.ctx.Err() == nil {
		i.log.Error("an incoming "+what+" could not be stored; WhatsApp keeps it", "error", err)
		i.kept.Add(1)
		i.pool.moved.ring()
		i.signal(cli, errNotStored{err})
	}
	return false
}

// signal passes an event to the supervisor, which reads its events promptly.
func (i *Instance) signal(cli *whatsmeow.Client, evt any) {
	select {
	case i.signals <- signal{cli, evt}:
	case <-i.ctx.Done():
	}
}

// Name returns the instance's name.
func (i *Instance) Name() string { return i.name }

// CreatedAt returns when the instance was created.
func (i *Instance) CreatedAt() time.Time { return i.created }

// Status returns the current status.
func (i *Instance) Status() Status {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.status
}

// Account is the paired account; all zero when not paired.
type Account struct {
	JID, LID types.JID
	PushName string
}

// Account returns the paired account as of its last login.
func (i *Instance) Account() Account {
	if a := i.account.Load(); a != nil && i.cli.Load() != nil {
		return *a
	}
	return Account{}
}

// loggedIn records which account the server says we are logged in as.
func (i *Instance) loggedIn(cli *whatsmeow.Client) {
	now := Account{JID: cli.Store.GetJID().ToNonAD(), LID: cli.Store.GetLID().ToNonAD()}
	if old := i.account.Load(); old != nil && old.JID == now.JID {
		now.PushName = old.PushName
	}
	i.account.Store(&now)
}

// renamed records the name that the account shows to others.
func (i *Instance) renamed(name string) {
	if old := i.account.Load(); old != nil {
		now := *old
		now.PushName = name
		i.account.Store(&now)
	}
}

// Client returns the client for queries and uploads while the instance is connected, or
// ErrNotConnected. It does not rely on whatsmeow's IsLoggedIn, which stays true after a lost
// connection.
func (i *Instance) Client() (*whatsmeow.Client, error) {
	if cli := i.cli.Load(); cli != nil && i.Status().State == Connected && cli.IsConnected() {
		return cli, nil
	}
	return nil, ErrNotConnected
}

// set records a new status and notifies everyone who waits for it.
func (i *Instance) set(state State, trouble *Trouble) {
	i.change(func(Status) bool { return true }, state, trouble)
}

// change is like set, but does nothing unless when accepts the current status.
func (i *Instance) change(when func(Status) bool, state State, trouble *Trouble) {
	i.mu.Lock()
	if !when(i.status) {
		i.mu.Unlock()
		return
	}
	if state != i.status.State || i.status.Since.IsZero() {
		i.status.Since = time.Now()
	}
	i.status.State, i.status.Trouble = state, trouble
	now := i.status
	close(i.changed)
	i.changed = make(chan struct{})
	i.mu.Unlock()
	i.pool.moved.ring()
	if i.pool.opts.Notify != nil {
		i.pool.opts.Notify(i.name, now)
	}
	if trouble != nil {
		i.log.Warn("instance "+string(state), "reason", trouble.Code, "message", trouble.Message)
	} else {
		i.log.Info("instance " + string(state))
	}
}

// want records whether the instance should be online.
func (i *Instance) want(ctx context.Context, online bool) error {
	wanted := registry.Disconnected
	if online {
		wanted = registry.Connected
	}
	if err := i.pool.opts.Registry.SetWanted(ctx, i.name, wanted); err != nil {
		return err
	}
	i.mu.Lock()
	i.online = online
	i.mu.Unlock()
	i.pool.moved.ring()
	i.stir()
	return nil
}

// stir makes the supervisor check the wanted state again.
func (i *Instance) stir() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

func (i *Instance) wanted() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.online && !i.lost && i.cli.Load() != nil
}

// wants reports whether the instance should be online with this client. A lease that was lost and
// claimed again brings a new client.
func (i *Instance) wants(cli *whatsmeow.Client) bool { return i.wanted() && i.cli.Load() == cli }

// await waits until ready accepts the status.
func (i *Instance) await(ctx context.Context, ready func(Status) bool) (Status, error) {
	for {
		i.mu.Lock()
		now, changed := i.status, i.changed
		i.mu.Unlock()
		if ready(now) {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, ctx.Err()
		case <-i.ctx.Done():
			return now, ErrClosed
		}
	}
}
