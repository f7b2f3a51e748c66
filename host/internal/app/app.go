// Package app is a running host: the node processes that nodes.lock allows, the
// engine that runs flows over them, and the way of events from one to the other.
//
// What it guarantees:
//
//   - Only verified binaries run, as private copies.
//   - An event is acknowledged to its node only after the engine has taken it and
//     every listener has seen it; whatever dies in between, it comes again with the same id.
//   - A call goes to the node that offers the operation, waits for a restarting node
//     as long as its deadline allows, and reports a lost one as an unknown outcome.
//   - Stop ends subscriptions, engine and nodes in that order, within its context.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/host/internal/process"
	"github.com/tapnode/tapnode/sdk"
)

// Options configure an App. Nodes and DataDir are required.
type Options struct {
	Nodes    []Installed
	DataDir  string                     // the host's own, made with mode 0700
	Settings map[string]json.RawMessage // by node name
	Timing   process.Timing
	Logger   *slog.Logger
	// AllowPrivate lets http.request reach loopback and private addresses.
	AllowPrivate bool
	// OnEvent sees every event of every trigger before it is acknowledged. It may
	// see one twice, with the same id, and must not wait. Optional.
	OnEvent func(sdk.Event)
}

// App is a host. Open, Start and Stop it once each.
type App struct {
	Engine    *engine.Engine
	Catalogue *flow.Catalogue

	opt    Options
	log    *slog.Logger
	runDir *process.RunDir
	nodes  []*node
	byOp   map[string]*node

	mu       sync.Mutex
	programs []*flow.Program
}

type node struct {
	*process.Supervisor
	manifest sdk.Manifest
}

// Open prepares the directories, the node copies and the engine. Nothing runs yet.
func Open(opt Options) (*App, error) {
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	a := &App{opt: opt, log: opt.Logger, byOp: map[string]*node{}}
	if err := os.MkdirAll(opt.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.Chmod(opt.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	var err error
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
		supervisor, err := process.New(process.Spec{
			Name: installed.Name, Path: installed.Binary, Accept: installed.Accept,
			StateDir: filepath.Join(a.opt.DataDir, "nodes", installed.Name), RunDir: a.runDir,
			Settings: a.opt.Settings[installed.Name], Logger: a.log, Timing: a.opt.Timing,
		})
		if err != nil {
			return err
		}
		n := &node{supervisor, installed.Manifest}
		a.nodes = append(a.nodes, n)
		for _, op := range installed.Manifest.Operations {
			a.byOp[op.ID] = n
		}
	}
	var builtins []engine.Builtin
	for _, b := range nodes.All(nodes.Options{Log: a.log, AllowPrivate: a.opt.AllowPrivate}) {
		builtins = append(builtins, b)
	}
	var err error
	a.Engine, err = engine.New(engine.Options{
		Log: engine.NewMemory(0), Executor: executor{a}, Builtins: builtins, Logger: a.log,
	})
	return err
}

// Deploy gives the flow to the engine. Call it before Start: the filters of its
// triggers become subscriptions when the nodes start.
func (a *App) Deploy(p *flow.Program) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.programs = append(a.programs, p)
	return a.Engine.Deploy(p)
}

// Start starts the engine and every node and returns when all are ready. After an
// error everything is stopped again.
func (a *App) Start(ctx context.Context) error {
	if err := a.Engine.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for _, n := range a.nodes {
		for _, s := range a.subscriptions(n) {
			n.OnReady(s.run)
		}
		if err := n.Start(ctx); err != nil {
			return errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}
	return nil
}

// grace is what running calls of flows get at a stop. The rest of the time is the
// nodes', to close what they have open.
const grace = 3 * time.Second

// Stop ends everything in order. What grace or ctx cuts is repeated under the same
// keys by the next host that has the data.
func (a *App) Stop(ctx context.Context) error {
	calls, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	errs := []error{a.Engine.Stop(calls)}
	for _, n := range a.nodes {
		errs = append(errs, n.Stop(ctx))
	}
	return errors.Join(append(errs, a.runDir.Close())...)
}

// Ready says whether every node takes calls; the error names the one that does not.
func (a *App) Ready() error {
	for _, n := range a.nodes {
		if s := n.State(); !s.State.Serving() {
			return fmt.Errorf("node %s is %s: %s", n.manifest.Name, s.State, s.Reason)
		}
	}
	return nil
}

// Operations are those of all nodes, in palette order.
func (a *App) Operations() []sdk.OperationManifest {
	var out []sdk.OperationManifest
	for _, n := range a.nodes {
		out = append(out, n.manifest.Operations...)
	}
	return out
}
