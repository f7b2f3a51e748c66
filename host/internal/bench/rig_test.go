package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/nodes"
)

// askFlow waits for a click, and then sends an answer.
const askFlow = `
apiVersion: flow/v1
kind: Flow
metadata: {id: ask}
vars: {type: object, properties: {phone: {type: string, default: "5511999990001"}, instance: {type: string, default: shop}}}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    type: whatsapp.sendButtons@1
    with: {instance: "${ vars.instance }", number: "${ vars.phone }", contentText: "How can we help?", buttons: [{id: home, displayText: Bring it home}, {id: keep, displayText: I will fetch it}]}
    wait: {timeout: 3d}
  - {id: answer, type: whatsapp.sendText@1, with: {instance: "${ vars.instance }", number: "${ event.chat.jid }", contentText: "On its way."}}
edges: [{from: "ask.reply:home", to: answer}]
`

// rig is an engine on a database, with nothing behind it that takes time, so that only the engine is
// measured.
type rig struct {
	*engine.Engine
	log   *sqllog.Log
	calls chan engine.Call // each call, when it begins
}

// Execute implements engine.Executor: every message is sent.
func (r *rig) Execute(ctx context.Context, call engine.Call, _ func(engine.Progress)) (engine.Result, error) {
	select {
	case r.calls <- call:
	case <-ctx.Done():
		return engine.Result{}, ctx.Err()
	}
	return engine.Result{Output: fmt.Appendf(nil, `{"messageId":%q}`, "3EB0"+call.Key)}, nil
}

// next returns the next call that begins.
func (r *rig) next(ctx context.Context) (engine.Call, error) {
	select {
	case c := <-r.calls:
		return c, nil
	case <-ctx.Done():
		return engine.Call{}, fmt.Errorf("no call begins: %w", ctx.Err())
	}
}

// openRig starts an engine on a database that may already contain runs.
func openRig(ctx context.Context, o sqllog.Options) (_ *rig, err error) {
	o.Logger = slog.New(slog.DiscardHandler)
	r := &rig{calls: make(chan engine.Call)}
	if r.log, err = sqllog.Open(ctx, o); err != nil {
		return nil, err
	}
	ops := flowtest.Operations()
	var builtins []engine.Builtin
	for _, n := range nodes.All(nodes.Options{Log: o.Logger}) {
		builtins, ops = append(builtins, n), append(ops, n.Operation())
	}
	catalogue, err := flow.NewCatalogue(ops...)
	if err != nil {
		return nil, errors.Join(err, r.log.Close())
	}
	compile := func(_ string, src []byte) (*flow.Program, error) {
		p, _, err := flow.Load(src, catalogue)
		return p, err
	}
	r.Engine, err = engine.New(engine.Options{Log: r.log, Executor: r, Builtins: builtins, Logger: o.Logger, Compile: compile})
	var p *flow.Program
	if err == nil {
		p, err = compile("ask", []byte(askFlow))
	}
	if err == nil {
		err = r.Deploy(ctx, p)
	}
	if err == nil {
		r.log.Start()
		err = r.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.log.Close())
	}
	return r, nil
}

func (r *rig) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ended := make(chan struct{})
	defer close(ended)
	go func() { // a call is repeated when its task took longer than its lease, and nobody else receives the repetition
		for {
			select {
			case <-r.calls:
			case <-ended:
				return
			}
		}
	}()
	return errors.Join(r.Stop(ctx), r.log.Close())
}

// ask starts n runs, some at a time, waits until each of them waits for its click, and returns the
// correlations for the clicks.
func (r *rig) ask(ctx context.Context, n int) ([]string, error) {
	asked := map[string]bool{} // by correlation, because a call may be repeated
	g, within := errgroup.WithContext(ctx)
	g.Go(func() error {
		for len(asked) < n {
			c, err := r.next(within)
			if err != nil {
				return err
			}
			asked[c.Correlation] = true
		}
		return nil
	})
	begin := make(chan int)
	g.Go(func() error {
		defer close(begin)
		for i := range n {
			select {
			case begin <- i:
			case <-within.Done():
				return within.Err()
			}
		}
		return nil
	})
	for range 64 {
		g.Go(func() error {
			for i := range begin {
				if _, err := r.Run(within, engine.Request{Flow: "ask", Vars: map[string]any{"phone": fmt.Sprintf("55119%08d", i), "instance": instance(i % 50)}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(asked)), r.drained(ctx)
}

// drained waits until no call is left to be made or stored.
func (r *rig) drained(ctx context.Context) error {
	for {
		c, err := r.log.Counts(ctx)
		if err != nil || c.Due[engine.Calls] == 0 {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-r.calls: // a repeated call
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// click returns a tap on the first button of the message with a correlation.
func click(id, correlation string) engine.Event {
	data, err := json.Marshal(map[string]any{
		"button": map[string]any{"id": "home", "displayText": "Bring it home"},
		"chat":   map[string]any{"jid": "5511999990001@s.whatsapp.net"}, "menu": map[string]any{"messageId": "3EB0" + correlation},
	})
	if err != nil {
		panic(err) // unreachable: strings marshal
	}
	return engine.Event{ID: id, Time: time.Now(), Type: typeClicked, Correlation: correlation, Data: data}
}

// over waits until a run is over.
func (r *rig) over(ctx context.Context, run string) error {
	for _, err := range r.Follow(ctx, run) {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// runIn returns the run that a correlation belongs to.
func runIn(correlation string) string {
	run, _, _ := strings.Cut(correlation, ":")
	return run
}
