package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// serve hosts flows and the HTTP API until it is stopped.
func serve(ctx context.Context, c console, args []string) error {
	f := newServeFlags("serve")
	paths, _, err := f.read(c, args)
	if err != nil {
		return err
	}
	asked := cast{*f.instances, *f.phones}
	if err := asked.needs(f.host); err != nil {
		return err
	}
	secrets, err := readSecrets(*f.secrets)
	if err != nil {
		return err
	}
	postgres, err := f.postgres()
	if err != nil {
		return err
	}
	token, err := f.accountToken()
	if err != nil {
		return err
	}
	for _, path := range []string{*f.secrets, *f.databaseFile, *f.tokenFile, *f.tlsKey} {
		warnIfOpen(c, path)
	}
	c, end := c.heedless()
	defer end()
	collectLess()
	if len(paths) == 0 && f.host.simulated() { // the default is for simulations: real people get only flows that are named
		if paths, err = filepath.Glob("examples/flows/*.yaml"); err != nil {
			return err
		}
	}
	var h *host
	h, err = openHost(ctx, c, f.set, f.host, hostUse{
		keep:      &durable{postgres, f.keep.limits()},
		peers:     &peerAddresses{*f.peerListen, *f.peerAddress},
		tells:     func() bool { return h.events.Tells() },
		onHealth:  func(changed sdk.Health) { h.seed.Heard(changed) },
		flowLevel: slog.LevelInfo,
		patient:   true,
	})
	if err != nil {
		return err
	}
	programs, err := h.publish(ctx, c, paths)
	if err != nil {
		return errors.Join(err, h.stop(nil))
	}
	if err := h.openAccess(ctx, token); err != nil {
		return errors.Join(err, h.stop(nil))
	}
	h.openSeed(*f.host.allowPrivate || f.host.simulated())
	opt := h.apiOptions(f, secrets)
	server, err := api.New(opt)
	if err != nil {
		return errors.Join(invalid("%w", err), h.stop(nil))
	}
	h.seed.Start(h.tellState)
	h.events.Start()
	err = h.serveUntil(ctx, c, server, programs, asked, printer{c.out, *f.json, true})
	return errors.Join(err, h.stop(server))
}

// publish publishes the flows at the paths; an invalid one stops the command before anything runs.
// It returns all published flows, including those of earlier hosts.
func (h *host) publish(ctx context.Context, c console, paths []string) ([]*flow.Program, error) {
	sources, bad := map[string][]byte{}, false
	for _, path := range paths {
		program, findings, err := load(path, h.Catalogue)
		if err != nil {
			return nil, err
		}
		if program == nil {
			printFindings(c.err, path, findings, false)
			bad = true
			continue
		}
		sources[path] = program.Flow().Source
	}
	if bad {
		return nil, &exit{code: exitInvalid}
	}
	for _, path := range paths {
		p, err := h.Publish(ctx, sources[path])
		if err != nil {
			return nil, &exit{exitInvalid, fmt.Errorf("%s: %w", path, err)}
		}
		printFindings(c.err, path, p.Findings, false)
	}
	if _, err := h.Engine.Sync(ctx); err != nil {
		h.log.Debug("some published flows are not served", "err", err) // Start reports it, too
	}
	return h.Engine.Deployed(), nil
}

func (h *host) apiOptions(f *serveFlags, secrets map[string][]byte) api.Options {
	opt := api.Options{
		Listen: *f.listen, Hosts: f.hosts, CertFile: *f.tlsCert, KeyFile: *f.tlsKey, Proxies: f.proxies, Origins: f.origins,
		Access: h.access, Operations: h.Operations(), Engine: h.Engine, Nodes: h.App, Cluster: h.App, Flows: h.App, Catalogue: h.Catalogue, Calls: h.App, Answers: h.answers, Secrets: secrets, Seed: h.seed, Simulated: h.sim != nil, Events: h.events, Ready: h.Ready, Logger: h.log,
		Invoke: func(ctx context.Context, call api.Call) (api.Outcome, error) {
			r, err := h.Execute(ctx, client.Request{Operation: call.Operation, Input: call.Input, Key: call.Key}, nil)
			return api.Outcome{Output: r.Output, Warnings: r.Warnings, Replayed: r.Replayed}, err
		},
	}
	if h.metrics != nil {
		opt.Metrics, opt.Answered = h.metrics.Handler(), h.metrics.Request
	}
	if h.sim != nil {
		opt.Picture = h.sim.Picture()
		opt.Extra = map[string]http.Handler{"/sim/v1/": api.LocalOnly(h.sim.Control())}
	}
	return opt
}

func (h *host) serveUntil(ctx context.Context, c console, server *api.Server, programs []*flow.Program, asked cast, out printer) error {
	socket, err := h.ControlSocket()
	if err == nil {
		err = server.Control(ctx, socket)
	}
	if err == nil {
		err = server.Start(ctx)
	}
	if err != nil {
		return environment(err)
	}
	var named cast
	for _, p := range programs {
		named.join(castOf(p.Flow(), nil))
	}
	after, err := h.Engine.Newest(ctx) // steps of earlier hosts are not printed
	if err != nil {
		return environment(err)
	}
	there, err := h.start(ctx, c, named, asked)
	if err != nil {
		return err
	}
	err = h.greet(ctx, c, server, programs, there)
	if err != nil && ctx.Err() == nil {
		return err
	}
	return h.tell(ctx, out, after)
}

// growth is how much the heap may grow between two garbage collections, in percent of the live
// heap. The live heap is some ten megabytes, so at Go's default of 100 there are many small
// collections, and each scans the stacks of all waiting workers: a fifth of a busy host's CPU.
const growth = 300

// collectLess sets the percentage to growth, unless the operator has set GOGC.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}
