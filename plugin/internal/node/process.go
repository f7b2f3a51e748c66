package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
	wastore "go.mau.fi/whatsmeow/store"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
	"github.com/tapnode/tapnode/plugin/internal/pool"
	"github.com/tapnode/tapnode/plugin/internal/store"
	"github.com/tapnode/tapnode/sdk"
)

// process is a configured node: everything that Close has to end.
type process struct {
	settings   settings
	profile    buttons.Profile
	store      *store.Store
	pool       *pool.Pool
	numbers    *directory
	media      *media.Loader
	conditions *conditions
	log        *slog.Logger
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
	p := &process{settings: s, log: slog.Default()}
	if p.profile, err = buttons.ParseProfile(string(s.Encoder.Profile)); err != nil {
		return nil, sdk.Invalid(sdk.Violation{Pointer: "/encoder/profile", Code: "profile", Message: err.Error()})
	}
	p.store, err = store.Open(ctx, store.Options{
		Dir: filepath.Join(setup.StateDir, "store"), Postgres: string(setup.Secrets["/store/dsn"]),
		Retention: s.retention(), Log: p.log, Status: statusEvent,
	})
	if err != nil {
		return nil, &sdk.Problem{Code: "store_unavailable", HTTPStatus: http.StatusServiceUnavailable, Err: err,
			Message: "the node's database cannot be opened: " + err.Error(), Effect: sdk.EffectNone, Fault: sdk.FaultNode}
	}
	pauses, err := p.store.Pauses(ctx, "")
	if err != nil {
		return nil, errors.Join(storeProblem(err), p.store.Close())
	}
	p.conditions = newConditions(board, pauses)
	p.store.Start()
	p.numbers = newDirectory(p.store)
	if p.media, err = openMedia(s, setup.StateDir, p.store); err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	if server != nil {
		board.Set(sdk.Health{State: sdk.Degraded, Reason: "simulated",
			Message: "this process talks to a test server, not to WhatsApp; remove server.url from the settings to change that"})
	}
	p.pool, err = pool.Open(ctx, pool.Options{
		Store: p.store, Log: p.log, Server: server, Limits: s.limits(),
		RefreshVersion: s.Device.RefreshVersion && s.Device.Version == "",
		OnMessage:      p.receive, OnReceipt: p.receipt, OnTimelock: p.timelock, Find: p.find,
		Notify: p.conditions.connection, Removed: p.conditions.remove,
	})
	if err != nil {
		return nil, errors.Join(err, p.store.Close())
	}
	return p, nil
}

func (p *process) close(ctx context.Context) error {
	p.media.Close()
	err := p.pool.Close(ctx)
	p.conditions.close()
	return errors.Join(err, p.store.Close())
}

// presentAs sets what the phone shows under linked devices. whatsmeow keeps it in
// package variables, for the whole process.
func presentAs(s settings) error {
	wastore.SetOSInfo(s.Device.Name, [3]uint32{1, 0, 0})
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

// find is pool.Options.Find: what a message of ours looked like when it left.
func (p *process) find(ctx context.Context, instance string, chat types.JID, id types.MessageID) (*pool.Sent, error) {
	e, err := p.store.MessageForRetry(ctx, instance, chat.ToNonAD().String(), id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out, err := outgoing(e)
	return &pool.Sent{Message: out.Message, Nodes: out.Nodes}, err
}

// outgoing rebuilds a message of the ledger. The stanza nodes depend on the profile,
// the id and the time only, so they are made again rather than stored.
func outgoing(e store.Entry) (pool.Outgoing, error) {
	out := pool.Outgoing{ID: e.MessageID, Message: &waE2E.Message{}}
	if err := proto.Unmarshal(e.Message, out.Message); err != nil {
		return out, fmt.Errorf("read the stored message: %w", err)
	}
	if e.Profile != "" {
		_, out.Nodes = buttons.Profile(e.Profile).Encode(buttons.Request{}, buttons.Send{MessageID: e.MessageID, At: e.CreatedAt})
	}
	return out, nil
}

const settleTime = 10 * time.Second // to store an outcome after the caller has gone

// after is a context for what has to be stored whatever becomes of the call.
func after(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTime)
}
