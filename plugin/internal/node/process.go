package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	wastore "go.mau.fi/whatsmeow/store"

	"github.com/tapnode/tapnode/internal/sqldb"
	"github.com/tapnode/tapnode/internal/tracing"
	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/memory"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"

	"github.com/tapnode/tapnode/plugin/internal/problem"
	"github.com/tapnode/tapnode/plugin/internal/receive"
	"github.com/tapnode/tapnode/plugin/internal/send"
	"github.com/tapnode/tapnode/plugin/internal/store/cache"
)

// process is a configured node: everything that Close has to end.
type process struct {
	settings   settings
	leased     bool // the instances connect only when a process has claimed them
	store      *store.Store
	pool       *pool.Pool
	media      *media.Loader
	pauses     *send.Pauses
	send       *send.Sender
	conditions *conditions
	storage    *sqldb.Monitor
	memory     *memory.Keeper
	untrace    func(context.Context) error
}

// open opens the store and begins to connect the instances.
func open(ctx context.Context, setup sdk.Setup, board *sdk.Board) (*process, error) {
	s, err := readSettings(setup)
	if err != nil {
		return nil, err
	}
	server, err := s.server()
	if err != nil {
		return nil, err
	}
	if err := presentAs(s); err != nil {
		return nil, err
	}
	profile, err := buttons.ParseProfile(string(s.Encoder.Profile))
	if err != nil {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/encoder/profile", Code: "profile", Message: err.Error()})
	}
	log := slog.Default()
	p := &process{settings: s}
	dsn := string(setup.Secrets["/store/dsn"])
	p.leased = setup.Leased && dsn != "" // no other process uses a SQLite file
	p.conditions = newConditions(board, p.leased)
	p.store, err = store.Open(ctx, store.Options{
		Dir: filepath.Join(setup.StateDir, "store"), Postgres: dsn,
		Alone: true, Retention: s.retention(), Log: log, Status: send.StatusEvents,
	})
	if err != nil {
		return nil, &sdk.Problem{Code: "store_unavailable", HTTPStatus: http.StatusServiceUnavailable, Err: err,
			Message: "the node's database cannot be opened: " + sqldb.Reason(err), Effect: sdk.EffectNone, Fault: sdk.FaultNode}
	}
	p.store.Start()
	p.storage = p.store.DB.Monitor(p.conditions.storage)
	p.storage.Start()
	if p.media, err = openMedia(s, setup.StateDir, p.store.Cache); err != nil {
		return nil, errors.Join(err, p.closeStore())
	}
	p.pauses, err = send.OpenPauses(ctx, send.PauseOptions{
		Store: p.store, Log: log, Lock: s.lock(), Cap: s.NewContacts.Cap.duration(), Changed: p.conditions.pause,
	})
	if err != nil {
		return nil, errors.Join(problem.Storage(err), p.closeStore())
	}
	if server != nil {
		p.conditions.simulated()
	}
	in := receive.New(p.store)
	p.pool, err = pool.Open(ctx, pool.Options{
		Registry: p.store.Registry, Devices: p.store.Devices, Storage: p.storage, Log: log, Server: server, Limits: s.limits(),
		Leased:         p.leased,
		RefreshVersion: s.Device.RefreshVersion && s.Device.Version == "",
		OnMessage:      in.Message, OnReceipt: in.Receipt, OnGroup: in.Group, OnTimelock: p.pauses.Timelock, Find: send.Finder(p.store.Ledger),
		Changed: p.pauses.Reload, Notify: p.conditions.connection, Removed: p.removed,
	})
	if err != nil {
		p.pauses.Close()
		return nil, errors.Join(problem.Of(err), p.closeStore())
	}
	if p.untrace, _, err = tracing.Start(ctx, "whatsapp-send-buttons"); err != nil {
		log.Warn("traces are off", "err", err) // sending works without traces
	}
	p.send = send.New(send.Options{
		Store: p.store, Pool: p.pool, Media: p.media, Pauses: p.pauses, Log: log, Profile: profile,
		SendTime: s.Timeouts.Send.duration(), QueryTime: s.Timeouts.Query.duration(), MediaTime: s.Timeouts.Media.duration(),
	})
	p.memory = memory.New(p.store.DB.Rest)
	p.memory.Start()
	return p, nil
}

// removed is pool.Options.Removed.
func (p *process) removed(instance string) {
	p.pauses.Remove(instance)
	p.conditions.remove(instance)
}

// claim is sdk.Node.Claim.
func (p *process) claim(ctx context.Context, instance string, epoch uint64) error {
	news, err := p.pool.Claim(ctx, instance, epoch)
	if err != nil {
		return problem.Of(err)
	}
	if news {
		p.pauses.Reload(ctx, instance) // another process may have had the instance
	}
	return nil
}

func (p *process) close(ctx context.Context) error {
	p.memory.Stop()
	p.media.Close()
	err := p.pool.Close(ctx)
	p.pauses.Close()
	if untraced := p.untrace(ctx); untraced != nil {
		slog.Warn("the last traces were lost", "err", untraced)
	}
	return errors.Join(err, p.closeStore())
}

func (p *process) closeStore() error {
	p.storage.Stop()
	return p.store.Close()
}

func openMedia(s settings, dir string, c *cache.Cache) (*media.Loader, error) {
	o := media.Options{
		Dir: filepath.Join(dir, "media"), Private: s.Media.AllowPrivate, MaxBytes: s.Media.MaxBytes, Timeout: s.Timeouts.Media.duration(), Cache: c,
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	return media.New(o), nil
}

var presenting sync.Mutex

// presentAs sets the device name and version that the phone shows under linked devices. whatsmeow
// keeps them in package variables, for the whole process.
func presentAs(s settings) error {
	presenting.Lock()
	defer presenting.Unlock()
	if wastore.DeviceProps.GetOs() != s.Device.Name { // unchanged, it is not written: a client of this process may be reading it
		wastore.SetOSInfo(s.Device.Name, [3]uint32{1, 0, 0})
	}
	if s.Device.Version == "" {
		return nil
	}
	var v wastore.WAVersionContainer
	for i, part := range strings.Split(s.Device.Version, ".") {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil || i >= len(v) {
			return sdk.Invalid(sdk.Violation{Pointer: "/device/version", Code: "version", Message: "the version is not three numbers with dots"})
		}
		v[i] = uint32(n)
	}
	wastore.SetWAVersion(v)
	return nil
}

// health grades an instance for the host.
func health(instance string, s pool.Status) sdk.Health {
	h := sdk.Health{Subject: instance, Reason: string(s.State), Since: s.Since}
	switch s.State {
	case pool.Connected:
		h.State = sdk.Healthy
	case pool.Pairing, pool.Connecting:
		h.State = sdk.Starting
	case pool.New:
		h.State, h.Message = sdk.Unhealthy, "no WhatsApp account yet; connect the instance and pair it"
	case pool.LoggedOut:
		h.State, h.Message = sdk.Unhealthy, "not paired any more; connect the instance to pair it again"
	default:
		h.State, h.Message = sdk.Unhealthy, "offline; connect the instance"
	}
	if t := s.Trouble; t != nil {
		h.Reason, h.Message = t.Code, t.Message
		if h.State != sdk.Unhealthy || !t.Until.IsZero() {
			h.State = sdk.Degraded // it is expected to come back by itself
		}
	}
	return h
}
