package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
	"github.com/tapnode/tapnode/host/internal/flow/run"
	"github.com/tapnode/tapnode/host/internal/nodes"
)

// phone stands in for a node binary: it takes sends, keeps one effect per key as a KEYED operation
// does, and records the calls it gets.
type phone struct {
	mu    sync.Mutex
	calls []engine.Call     // every call, in order
	sent  map[string]string // message id by key
	// before, if set, decides about a call: an error fails it before anything is
	// sent. It may block until ctx ends.
	before func(ctx context.Context, call engine.Call, nth int) error
}

func (p *phone) Execute(ctx context.Context, call engine.Call, progress func(engine.Progress)) (engine.Result, error) {
	p.mu.Lock()
	p.calls = append(p.calls, call)
	nth := 0
	for _, c := range p.calls {
		if c.Key == call.Key {
			nth++
		}
	}
	p.mu.Unlock()
	progress(engine.Progress{Stage: "sending"})
	if p.before != nil {
		if err := p.before(ctx, call, nth); err != nil {
			return engine.Result{}, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent == nil {
		p.sent = map[string]string{}
	}
	id, ok := p.sent[call.Key]
	if !ok {
		id = fmt.Sprintf("M%d", len(p.sent)+1)
		p.sent[call.Key] = id
	}
	return engine.Result{Output: fmt.Appendf(nil, `{"messageId":%q}`, id)}, nil
}

// made is how many calls there were.
func (p *phone) made() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

// count is how many messages with this text went out.
func (p *phone) count(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := map[string]bool{}
	for _, c := range p.calls {
		var in struct {
			ContentText string `json:"contentText"`
		}
		if json.Unmarshal(c.Input, &in) == nil && in.ContentText == text {
			if _, sent := p.sent[c.Key]; sent {
				keys[c.Key] = true
			}
		}
	}
	return len(keys)
}

// rig is an engine over a log, with a phone.
type rig struct {
	*engine.Engine
	t     *testing.T
	log   *engine.Memory
	phone *phone
	load  func(src string) *flow.Program
}

func newRig(t *testing.T, log *engine.Memory, p *phone, flows ...string) *rig {
	t.Helper()
	return openRig(t, engine.Options{Log: log, Executor: p}, flows...)
}

// newRigWith is newRig with more built-ins.
func newRigWith(t *testing.T, log *engine.Memory, p *phone, more []engine.Builtin, flows ...string) *rig {
	t.Helper()
	return openRig(t, engine.Options{Log: log, Executor: p, Builtins: more}, flows...)
}

// newRigBehind is newRig with subscriptions that may be behind.
func newRigBehind(t *testing.T, log *engine.Memory, p *phone, behind func(instance, run string) bool, flows ...string) *rig {
	t.Helper()
	return openRig(t, engine.Options{Log: log, Executor: p, Behind: behind}, flows...)
}

func openRig(t *testing.T, o engine.Options, flows ...string) *rig {
	t.Helper()
	builtins := o.Builtins
	ops := flowtest.Operations()
	for _, n := range builtins {
		ops = append(ops, n.Operation())
	}
	for _, n := range nodes.All(nodes.Options{}) {
		builtins = append(builtins, n)
		ops = append(ops, n.Operation())
	}
	builtins = append(builtins, panics{})
	ops = append(ops, panics{}.Operation())
	cat, err := flow.NewCatalogue(ops...)
	if err != nil {
		t.Fatal(err)
	}
	o.Builtins, o.Calls = builtins, 64
	e, err := engine.New(o)
	if err != nil {
		t.Fatal(err)
	}
	load := func(src string) *flow.Program {
		t.Helper()
		prog, findings, err := flow.Load([]byte(src), cat)
		if err != nil {
			t.Fatal(err, findings)
		}
		return prog
	}
	for _, src := range flows {
		prog := load(src)
		if err := e.Deploy(context.Background(), prog); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	log, _ := o.Log.(*engine.Memory)
	p, _ := o.Executor.(*phone)
	return &rig{e, t, log, p, load}
}

func (r *rig) stop() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) run(req engine.Request) string {
	r.t.Helper()
	id, err := r.Run(context.Background(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// status waits until nothing moves any more and says how the run stands.
func (r *rig) status(id string) run.Status {
	r.t.Helper()
	synctest.Wait()
	s, err := r.State(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s.Status
}

// steps are the kept steps of a run, by name.
func (r *rig) steps(id string) map[run.TraceKind][]engine.Step {
	synctest.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	out := map[run.TraceKind][]engine.Step{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for st := range r.Watch(ctx, id, 0) {
			out[st.Kind] = append(out[st.Kind], st)
		}
	}()
	synctest.Wait()
	cancel()
	<-done
	return out
}

func click(id, correlation, button string) engine.Event {
	return engine.Event{ID: id, Type: "whatsapp.button.clicked.v1", Correlation: correlation,
		Data: fmt.Appendf(nil, `{"button":{"id":%q,"displayText":"Label"},"chat":{"jid":"c"},"menu":{"messageId":"M1"}}`, button)}
}

func words(id, correlation, text string) engine.Event {
	return engine.Event{ID: id, Type: "whatsapp.message.received.v1", Correlation: correlation,
		Data: fmt.Appendf(nil, `{"text":%q,"chat":{"jid":"c","phone":"551199"}}`, text)}
}

func (r *rig) deliver(ev engine.Event) engine.Delivered {
	r.t.Helper()
	d, err := r.Deliver(context.Background(), ev)
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

func example(t *testing.T, name string) string {
	t.Helper()
	src, err := os.ReadFile("../../../examples/flows/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// panics is a built-in node with a bug.
type panics struct{}

func (panics) Operation() flow.Operation {
	op := nodes.All(nodes.Options{})[0].Operation() // shaped like log@1
	op.ID = "panics@1"
	return op
}

func (panics) Execute(context.Context, string, map[string]any) (any, error) { panic("a bug") }
