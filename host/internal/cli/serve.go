package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tapnode/tapnode/host/internal/api"
	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// callGrace is how long HTTP calls may take to finish when the server stops.
const callGrace = 10 * time.Second

// serve hosts flows and the HTTP API until it is stopped.
func serve(ctx context.Context, c console, args []string) error {
	flags := newFlags("serve")
	hf := addHostFlags(flags)
	listen := flags.String("listen", "127.0.0.1:8080", "loopback `ADDRESS` to listen on")
	database := flags.String("database", "", "keep runs in Postgres, by its connection `STRING`, and not in a file of the data directory")
	asJSON := flags.Bool("json", false, "print one JSON object per step")
	paths, err := parse(c, flags, args)
	if err != nil {
		return err
	}
	c, end := c.heedless()
	defer end()
	if len(paths) == 0 && *hf.simulate { // real people get no flow that nobody named
		if paths, err = filepath.Glob("examples/flows/*.yaml"); err != nil {
			return err
		}
	}
	var server *api.Server // set before the first event: nodes start after it
	h, err := openHost(ctx, c, flags, hf, &durable{*database}, func(ev sdk.Event) { server.Publish(ev) })
	if err != nil {
		return err
	}
	programs, err := h.deploy(ctx, c, paths)
	if err != nil {
		return errors.Join(err, h.stop())
	}
	keys, err := tokens(h.dataDir)
	if err != nil {
		return errors.Join(err, h.stop())
	}
	server, err = api.New(h.apiOptions(*listen, keys))
	if err != nil {
		return errors.Join(invalid("%w", err), h.stop())
	}
	err = h.serveUntil(ctx, c, server, keys, programs, printer{c.out, *asJSON})
	return errors.Join(err, h.stop())
}

// deploy loads every flow; one that is wrong stops the command before anything runs.
func (h *host) deploy(ctx context.Context, c console, paths []string) ([]*flow.Program, error) {
	var programs []*flow.Program
	bad := false
	for _, path := range paths {
		program, findings, err := load(path, h.Catalogue)
		if err != nil {
			return nil, err
		}
		printFindings(c.err, path, findings, false)
		if program == nil {
			bad = true
			continue
		}
		if err := h.Deploy(ctx, program); err != nil {
			return nil, &exit{exitInvalid, fmt.Errorf("%s: %w", path, err)}
		}
		programs = append(programs, program)
	}
	if bad {
		return nil, &exit{code: exitInvalid}
	}
	return programs, nil
}

func (h *host) apiOptions(listen string, keys *api.Tokens) api.Options {
	opt := api.Options{
		Listen: listen, Tokens: keys, Operations: h.Operations(), Engine: h.Engine, Nodes: h.App, Ready: h.Ready, Logger: h.log,
		Invoke: func(ctx context.Context, call api.Call) (api.Outcome, error) {
			r, err := h.Execute(ctx, client.Request{Operation: call.Operation, Input: call.Input, Key: call.Key}, nil)
			return api.Outcome{Output: r.Output, Warnings: r.Warnings, Replayed: r.Replayed}, err
		},
	}
	if h.sim != nil {
		opt.Extra = map[string]http.Handler{"/sim/v1/": api.LocalOnly(h.sim.Control())}
	}
	return opt
}

func (h *host) serveUntil(ctx context.Context, c console, server *api.Server, keys *api.Tokens, programs []*flow.Program, out printer) error {
	if err := server.Start(ctx); err != nil {
		return environment(err)
	}
	defer func() { // before the nodes: calls that run still need them
		ctx, cancel := context.WithTimeout(context.Background(), callGrace)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			h.log.Warn("stop http", "err", err)
		}
	}()
	var casts []cast
	for _, p := range programs {
		casts = append(casts, castOf(p.Flow(), nil))
	}
	after, err := h.Engine.Newest(ctx) // what earlier hosts did is not news
	if err != nil {
		return environment(err)
	}
	if err := h.start(ctx, casts...); err != nil {
		return err
	}
	switch err := h.greet(ctx, c, server.URL(), keys, programs); {
	case ctx.Err() != nil: // stopped by then
		return nil
	case err != nil:
		return err
	}
	return h.tell(ctx, out, after)
}

// tell prints the steps of all runs until ctx ends.
func (h *host) tell(ctx context.Context, out printer, after uint64) error {
	for ctx.Err() == nil {
		for step, err := range h.Engine.Watch(ctx, "", after) {
			switch {
			case errors.Is(err, engine.ErrLagged): // the terminal was slow; the runs were not
				continue
			case ctx.Err() != nil:
				return nil
			case err != nil:
				h.log.Error("the steps of the runs cannot be read; trying again", "err", err)
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
				continue
			}
			after = step.Sequence
			if err := out.step(step); err != nil {
				return err
			}
		}
	}
	return nil
}

// greet prints what a person needs next. A simulation also starts the flow called
// menu, so that there is something to tap.
func (h *host) greet(ctx context.Context, c console, url string, keys *api.Tokens, programs []*flow.Program) error {
	fmt.Fprintf(c.out, "tapnode serves at %s\n", url)
	var ids []string
	for _, p := range programs {
		ids = append(ids, p.Flow().Metadata.ID)
	}
	if len(ids) > 0 {
		fmt.Fprintf(c.out, "flows: %s\n", strings.Join(ids, ", "))
	} else {
		fmt.Fprintln(c.out, "flows: none; name their files to serve some")
	}
	token := "$TOKEN"
	if h.sim == nil || keys.Len() > 0 { // no secret in the log of a real server
		fmt.Fprintf(c.out, "tokens for the HTTP API: %d; another one, while this runs: tapnode token --data %s\n", keys.Len(), h.dataDir)
	} else {
		var err error
		if token, err = keys.Create(api.TokenAccount, "", time.Now()); err != nil {
			return environment(err)
		}
		fmt.Fprintf(c.out, "\naccount token, shown only now: %s\n", token)
	}
	menu := slices.Index(ids, "menu")
	if h.sim == nil || menu < 0 {
		return nil
	}
	who := castOf(programs[menu].Flow(), nil)
	if len(who.phones) == 0 || len(who.instances) == 0 {
		return nil
	}
	fmt.Fprintf(c.out, `
WhatsApp is simulated. The flow "menu" sends its buttons to the phone %[2]s now. Then try:

  tap a button       curl -X POST %[1]s/sim/v1/phones/%[2]s/click -d '{"buttonId":"billing"}'
  see the phone      curl %[1]s/sim/v1/phones/%[2]s/inbox
  start it again     curl -X POST -H "token: %[3]s" %[1]s/v1/flows/menu/runs
  send buttons       curl -X POST -H "token: %[3]s" %[1]s/api/message/button/%[4]s \
                       -d '{"number":"%[2]s","contentText":"How can we help?","buttons":[{"id":"sales","displayText":"Sales"}]}'
  stop               Ctrl-C

`, url, who.phones[0], token, who.instances[0])
	_, err := h.Engine.Run(ctx, engine.Request{Flow: "menu"})
	return err
}
