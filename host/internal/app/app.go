// Package app is a running host: the node processes that nodes.lock allows, the engine that runs
// flows over them, and the delivery of events from the nodes to the engine.
//
// What it guarantees:
//
//   - Only verified binaries run, as private copies that are hashed before each start.
//   - An event is acknowledged to its node only after the engine has taken it, the outgoing events
//     derived from it are stored, and every listener has seen it. If anything dies in between, the
//     event comes again with the same id.
//   - A call goes to the node that offers the operation, waits for a restarting node as long as its
//     deadline allows, and is reported as having an unknown outcome if it is lost.
//   - Settings that a node's schema marks writeOnly are passed to it as secrets.
//   - A node that does not start brings down neither another node nor the host.
//   - Stop ends subscriptions, engine and nodes in that order, within its context, so that no event
//     is taken that would not be processed.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tapnode/tapnode/host/internal/cluster"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/host/internal/process"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/schema"
)

// Options configure an App. Nodes and DataDir are required.
type Options struct {
	Nodes    []Installed
	DataDir  string                     // the host's own directory, created with mode 0700
	Settings map[string]json.RawMessage // by node name, secrets included
	Timing   process.Timing
	// Log stores the runs; nil keeps them in memory until the App ends. Close it after Stop.
	Log engine.Log
	// Storage says why Log cannot store anything now, in words that anyone may read, or returns
	// nil. A nil Storage means that Log always can.
	Storage func() error
	Logger  *slog.Logger
	// FlowLog receives the messages that flows log, with flow and run; nil means Logger.
	FlowLog *slog.Logger
	// AllowPrivate lets http.request reach loopback and private addresses.
	AllowPrivate bool
	// Traced creates spans of runs, calls and events, if the process exports any.
	Traced bool
	// Called is called when a call of a node's operation begins. The function it returns is called
	// when that call ends, with the outcome: ok, or the effect of the failure. Optional.
	Called func(operation string) (ended func(outcome string))
	// OnEvent is called with every event of every trigger before the event is acknowledged. It may
	// get an event twice, with the same id, and must not block. Optional.
	OnEvent func(sdk.Event)
	// Tell stores the outgoing events derived from each event of every trigger, in the order of the
	// stream. The event is acknowledged when wait has returned nil. Optional.
	Tell func(ctx context.Context, ev sdk.Event) (wait func() error)
	// Tells reports whether anybody wants events of runs. Optional.
	Tells func() bool
	// Cluster makes this host share the work with the other hosts on its database; nil if it is
	// alone.
	Cluster *Cluster
	// OnHealth is called with each change in the health of a node or of a subject that it manages,
	// such as an instance. It must not block. Optional.
	OnHealth func(sdk.Health)
}

// App is a host. Open and Start it once each; Stop it in any case.
type App struct {
	Engine    *engine.Engine
	Catalogue *flow.Catalogue

	opt    Options
	log    *slog.Logger
	runDir *process.RunDir
	nodes  []*node
	byOp   map[string]*node
	member *cluster.Member // nil if this host is alone
	begun  time.Time

	flows   sync.Mutex // held while the deployed flows change
	mu      sync.Mutex
	started bool
	tried   bool // each node has started, or its first attempt has failed
	stopped bool // no subscription may begin any more

	reading context.Context // bounds all subscriptions
	quit    context.CancelFunc
	readers sync.WaitGroup
}

type node struct {
	*process.Supervisor
	manifest      sdk.Manifest
	subscriptions *subscriptions
	shared        atomic.Bool // its subjects are known to be shared with other hosts
}

// Open prepares the directories, the node copies and the engine. Nothing runs yet.
func Open(opt Options) (*App, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.FlowLog == nil {
		opt.FlowLog = opt.Logger
	}
	if opt.Log == nil {
		opt.Log = engine.NewMemory(0)
	}
	if opt.Traced {
		opt.Log = tracedLog{opt.Log}
	}
	if opt.Called == nil {
		opt.Called = func(string) func(string) { return func(string) {} }
	}
	if opt.Storage == nil {
		opt.Storage = func() error { return nil }
	}
	a := &App{opt: opt, log: opt.Logger, begun: time.Now(), byOp: map[string]*node{}}
	a.reading, a.quit = context.WithCancel(context.Background())
	err := makeDataDir(opt.DataDir)
	if err != nil {
		return nil, err
	}
	if a.Catalogue, err = NewCatalogue(opt.Nodes); err != nil {
		return nil, err
	}
	if a.runDir, err = process.OpenRunDir(opt.DataDir); err != nil {
		return nil, err
	}
	if err := a.prepare(); err != nil {
		return nil, errors.Join(err, a.runDir.Close())
	}
	return a, nil
}

func (a *App) prepare() error {
	for _, installed := range a.opt.Nodes {
		settings, secrets, err := split(installed.Manifest, a.opt.Settings[installed.Name])
		if err != nil {
			return fmt.Errorf("settings of node %s: %w", installed.Name, err)
		}
		supervisor, err := process.New(process.Spec{
			Name: installed.Name, Path: installed.Copy.Path, Accept: installed.Accept,
			Verify:   installed.Copy.Ensure,
			StateDir: filepath.Join(a.opt.DataDir, "nodes", installed.Name), RunDir: a.runDir,
			Settings: settings, Secrets: secrets, Leased: a.opt.Cluster != nil, OnHealth: a.opt.OnHealth, Logger: a.log, Timing: a.opt.Timing,
		})
		if err != nil {
			return err
		}
		n := &node{Supervisor: supervisor, manifest: installed.Manifest}
		n.subscriptions = newSubscriptions(a, n)
		a.nodes = append(a.nodes, n)
		for _, op := range installed.Manifest.Operations {
			a.byOp[op.ID] = n
		}
	}
	if err := a.join(); err != nil {
		return err
	}
	var builtins []engine.Builtin
	for _, b := range nodes.All(nodes.Options{Log: slog.New(engine.LogOrigin(a.opt.FlowLog.Handler())), AllowPrivate: a.opt.AllowPrivate}) {
		builtins = append(builtins, b)
	}
	var err error
	a.Engine, err = engine.New(engine.Options{
		Log: a.opt.Log, Executor: executor{a}, Builtins: builtins, Logger: a.log, Compile: a.compile, Behind: a.behind, Fitter: a.fitter, Tells: a.opt.Tells,
	})
	return err
}

// compile compiles the source of a version that was deployed earlier.
func (a *App) compile(id string, source []byte) (*flow.Program, error) {
	p, _, err := flow.LoadAs(source, a.Catalogue, id)
	return p, err
}

// split separates the secrets from the settings, which a user writes as one document.
func split(m sdk.Manifest, settings []byte) (plain []byte, secrets map[string][]byte, err error) {
	compiled, err := schema.Compile(m.Settings)
	if err != nil {
		return nil, nil, err
	}
	return compiled.SplitSecrets(settings)
}

// follow applies a change to the deployed flows and then opens and closes subscriptions to match.
// New subscriptions begin at the host's position before the change, so that no event in between is
// skipped; an event that is read twice starts a run only once.
func (a *App) follow(ctx context.Context, change func() error) error {
	a.flows.Lock()
	defer a.flows.Unlock()
	for _, n := range a.nodes {
		if err := n.subscriptions.mark(ctx); err != nil {
			return err
		}
	}
	if err := change(); err != nil {
		return err
	}
	for _, n := range a.nodes {
		n.subscriptions.follow(ctx)
	}
	return nil
}

// behind implements engine.Options.Behind.
func (a *App) behind(instance, run string) bool {
	return slices.ContainsFunc(a.nodes, func(n *node) bool {
		return n.readElsewhere(a.member) || n.subscriptions.lag.behind(instance, run) ||
			a.member != nil && instance != "" && a.member.Behind(a.reading, n.manifest.Name, instance)
	})
}

// fitter implements engine.Options.Fitter.
func (a *App) fitter(ctx context.Context, anew bool) bool {
	return a.member != nil && slices.ContainsFunc(a.nodes, func(n *node) bool { return a.member.Fitter(ctx, n.manifest.Name, anew) })
}

// ErrNode means that a node did not start. The host works without it, and its supervisor keeps
// trying unless the node is quarantined.
var ErrNode = errors.New("a node did not start")

// Start starts the engine and all nodes, the nodes at the same time, and returns when each is ready
// or has failed once. After an error that is ErrNode the rest keeps working. After any error, Stop
// ends what was started.
func (a *App) Start(ctx context.Context) error {
	if err := a.servePublished(ctx); err != nil {
		return err
	}
	if err := a.Engine.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	a.mu.Lock()
	a.started = true
	a.mu.Unlock()
	errs := make([]error, len(a.nodes))
	var starts sync.WaitGroup
	for i, n := range a.nodes {
		n.OnReady(n.subscriptions.serve)
		starts.Go(func() { errs[i] = n.Start(ctx) })
	}
	starts.Wait()
	a.mu.Lock()
	a.tried = true
	a.mu.Unlock()
	if a.member != nil {
		if err := a.member.Start(ctx); err != nil {
			return err
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrNode, err)
	}
	return nil
}

// Drain stops taking events and work of flows, and lets running calls of flows finish until ctx
// ends. A call that is cut off is repeated under the same key by the next host that has the data.
// Execute still accepts calls. Drain may be called at any time, and more than once.
func (a *App) Drain(ctx context.Context) error {
	a.mu.Lock()
	started := a.started
	a.started, a.stopped = false, true
	a.mu.Unlock()
	if a.member != nil {
		a.member.Drain(ctx)
	}
	a.quit()
	a.readers.Wait()
	if !started {
		return nil
	}
	return a.Engine.Stop(ctx)
}

// engineGrace is how long running calls may take to finish when the host stops without a Drain. The
// rest of Stop's time is for the nodes, which would otherwise be killed.
const engineGrace = 3 * time.Second

// Stop ends everything in order: Drain, then the nodes. It may be called at any time, and more than
// once.
func (a *App) Stop(ctx context.Context) error {
	drainCtx, cancel := context.WithTimeout(ctx, engineGrace)
	errs := []error{a.Drain(drainCtx)}
	cancel()
	for _, n := range a.nodes {
		errs = append(errs, n.Stop(ctx))
	}
	if a.member != nil { // after the nodes, so that no process here still acts for a subject
		errs = append(errs, a.member.Stop(ctx))
	}
	return errors.Join(append(errs, a.runDir.Close())...)
}

// Operations returns the operations of all nodes, in palette order.
func (a *App) Operations() []sdk.OperationManifest {
	var out []sdk.OperationManifest
	for _, n := range a.nodes {
		out = append(out, n.manifest.Operations...)
	}
	return out
}
