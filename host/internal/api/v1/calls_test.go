package v1

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/host/internal/answers"
	"github.com/tapnode/tapnode/host/internal/engine/sqllog"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// node is a node of a test: an operation does what do says, and tells of each call.
type node struct {
	do    func(r client.Request) (client.Result, error)
	calls chan client.Request
}

const (
	opUnsafe = "demo.charge@1"
	opKeyed  = "demo.send@1"
	opAdmin  = "demo.admin@1"
)

func (n *node) Offers(id string) bool { return id == opUnsafe || id == opKeyed || id == opAdmin }

func (n *node) Execute(_ context.Context, r client.Request, progress func(client.Progress)) (client.Result, error) {
	n.calls <- r
	if progress != nil {
		progress(client.Progress{Stage: "working", Message: "half way", Data: sdk.JSON(`{"n":1}`)})
	}
	return n.do(r)
}

func (n *node) Validate(_ context.Context, _ string, input []byte) ([]sdk.Violation, []sdk.Warning, error) {
	if strings.Contains(string(input), "bad") {
		return []sdk.Violation{{Pointer: "/bad", Code: "bad", Message: "it is bad"}}, nil, nil
	}
	return nil, []sdk.Warning{{Code: "odd", Message: "it is odd"}}, nil
}

// withNode is an API with a node, whose answers are kept.
func withNode(t *testing.T) (*served, *node) {
	t.Helper()
	log, err := sqllog.Open(t.Context(), sqllog.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	n := &node{calls: make(chan client.Request, 100), do: func(r client.Request) (client.Result, error) {
		return client.Result{Output: sdk.JSON(`{"got":` + string(r.Input) + `}`)}, nil
	}}
	c, err := flow.NewCatalogue(
		flow.Operation{OperationManifest: sdk.OperationManifest{ID: opUnsafe, Kind: sdk.KindAction, Replay: sdk.Unsafe}},
		flow.Operation{OperationManifest: sdk.OperationManifest{ID: opKeyed, Kind: sdk.KindAction, Replay: sdk.Keyed,
			PortRules: []sdk.PortRule{{Each: "/buttons", Where: map[string]string{"type": "REPLY"}, ID: "reply:{id}", Label: "{label}"}}}},
		flow.Operation{OperationManifest: sdk.OperationManifest{ID: opAdmin, Kind: sdk.KindOperation, Replay: sdk.Pure}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return serveTest(t, func(o *Options) {
		o.Catalogue, o.Calls, o.Answers = c, n, answers.New(log.DB(), nil, slog.Default())
	}), n
}

func execute(op string) string { return "/v1/operations/" + op + "/execute" }

func TestAKeyActsOnce(t *testing.T) {
	s, n := withNode(t)
	first := s.ask(t, "POST", execute(opUnsafe), `{"input":{"a":1}}`, "Idempotency-Key", "k")
	again := s.ask(t, "POST", execute(opUnsafe), `{"input":{"a":1}}`, "Idempotency-Key", "k")
	if first.status != 200 || again.status != 200 || first.body != again.body || first.body != `{"output":{"got":{"a":1}}}` ||
		again.header.Get("Idempotent-Replayed") != "true" || again.header.Get("Content-Type") != jsonType || len(n.calls) != 1 {
		t.Errorf("%+v, then %+v after %d calls", first, again, len(n.calls))
	}
	for name, c := range map[string]struct {
		op, body string
		header   []string
		status   int
		calls    int
		code     string
	}{
		"another body":      {opUnsafe, `{"input":{"a":2}}`, []string{"Idempotency-Key", "k"}, 422, 0, "key_reused"},
		"another operation": {opAdmin, `{"input":{"a":1}}`, []string{"Idempotency-Key", "k"}, 200, 1, ""}, // has no effect
		"another caller":    {opUnsafe, `{"input":{"a":1}}`, []string{"Idempotency-Key", "k", "Caller", "bob"}, 200, 1, ""},
		"no key":            {opUnsafe, `{"input":{"a":1}}`, nil, 200, 1, ""},
		"a long key":        {opUnsafe, `{}`, []string{"Idempotency-Key", strings.Repeat("k", 201)}, 400, 0, "invalid_key"},
		"a flow's key":      {opUnsafe, `{}`, []string{"Idempotency-Key", "run:x"}, 400, 0, "invalid_key"},
	} {
		before := len(n.calls)
		a := s.ask(t, "POST", execute(c.op), c.body, c.header...)
		if a.status != c.status || len(n.calls)-before != c.calls || c.code != "" && a.problem(t).Code != c.code {
			t.Errorf("%s: %+v, %d calls", name, a, len(n.calls)-before)
		}
	}
}

// What is known to have had no effect may be tried again under the key; what may have had one is not.
func TestAKeyOfAFailure(t *testing.T) {
	s, n := withNode(t)
	ask := func(key string) said {
		return s.ask(t, "POST", execute(opUnsafe), `{}`, "Idempotency-Key", key)
	}
	for effect, calls := range map[sdk.Effect]int{sdk.EffectNone: 2, sdk.EffectUnknown: 1, sdk.EffectDone: 1} {
		n.do = func(client.Request) (client.Result, error) {
			return client.Result{}, &sdk.Problem{Code: "broke", HTTPStatus: 502, Message: "it broke", Effect: effect, Fault: sdk.FaultDownstream}
		}
		before := len(n.calls)
		first, again := ask(string(effect)), ask(string(effect))
		if p := again.problem(t); first.status != 502 || again.body != first.body || p.Effect != effect || len(n.calls)-before != calls {
			t.Errorf("%s: %+v, then %+v after %d calls", effect, first, again, len(n.calls)-before)
		}
	}
	n.do = func(client.Request) (client.Result, error) {
		return client.Result{}, &client.TransportError{Op: "execute", Code: codes.Unavailable, Err: errors.New("gone")}
	}
	before := len(n.calls)
	if p := ask("lost").problem(t); p.Code != "node_lost" || p.Status != 503 || p.Effect != sdk.EffectUnknown || ask("lost").status != 503 || len(n.calls)-before != 1 {
		t.Errorf("a lost node: %+v after %d calls", p, len(n.calls)-before)
	}
}

func TestTheSecondWaitsForTheFirst(t *testing.T) {
	s, n := withNode(t)
	hold := make(chan struct{})
	n.do = func(client.Request) (client.Result, error) { <-hold; return client.Result{Output: sdk.JSON(`{}`)}, nil }
	first := make(chan said, 1)
	go func() { first <- s.ask(t, "POST", execute(opUnsafe), `{}`, "Idempotency-Key", "k") }()
	<-n.calls
	if p := s.ask(t, "POST", execute(opUnsafe), `{}`, "Idempotency-Key", "k").problem(t); p.Status != 409 || p.Code != "key_in_use" {
		t.Errorf("the second: %+v", p)
	}
	close(hold)
	if a := <-first; a.status != 200 {
		t.Errorf("the first: %+v", a)
	}
	n.do = func(client.Request) (client.Result, error) {
		return client.Result{Output: sdk.JSON(`"` + strings.Repeat("x", answers.MaxBody) + `"`)}, nil
	}
	if a := s.ask(t, "POST", execute(opUnsafe), `{}`, "Idempotency-Key", "large"); a.status != 200 {
		t.Errorf("a large answer: %d", a.status)
	}
	if p := s.ask(t, "POST", execute(opUnsafe), `{}`, "Idempotency-Key", "large").problem(t); p.Code != "answer_not_kept" {
		t.Errorf("its repeat: %+v", p)
	}
}

// A KEYED operation keeps its outcomes itself, under a key that is the caller's own.
func TestKeysOfCallersAreApart(t *testing.T) {
	s, n := withNode(t)
	keys := map[string]bool{}
	for _, caller := range []string{"ann", "bob", "ann"} {
		if a := s.ask(t, "POST", execute(opKeyed), `{}`, "Idempotency-Key", "k", "Caller", caller); a.status != 200 {
			t.Fatal(a)
		}
		keys[(<-n.calls).Key] = true
	}
	if len(keys) != 2 || keys["k"] {
		t.Errorf("keys are %v", keys)
	}
}

func TestCallsOfSomeInstances(t *testing.T) {
	s, n := withNode(t)
	for name, c := range map[string]struct {
		op, body string
		status   int
	}{
		"its own":          {opKeyed, `{"input":{"instance":"shop"}}`, 200},
		"another's":        {opKeyed, `{"input":{"instance":"bank"}}`, 403},
		"none":             {opKeyed, `{}`, 403},
		"no text":          {opKeyed, `{"input":{"instance":["shop"]}}`, 403},
		"another's, twice": {opKeyed, `{"input":{"instance":"shop","instance":"bank"}}`, 400},
		"both cases":       {opKeyed, `{"input":{"instance":"bank","Instance":"shop"}}`, 403},
		"other case":       {opKeyed, `{"input":{"Instance":"shop"}}`, 403},
		"administration":   {opAdmin, `{"input":{"instance":"shop"}}`, 403},
	} {
		for _, how := range []string{"execute", "preview"} {
			if a := s.ask(t, "POST", "/v1/operations/"+c.op+"/"+how, c.body, "Caller", "ann/shop"); a.status != c.status {
				t.Errorf("%s, %s: %+v", name, how, a)
			}
		}
	}
	for len(n.calls) > 0 {
		if r := <-n.calls; !strings.Contains(string(r.Input), "shop") {
			t.Errorf("called with %s", r.Input)
		}
	}
}

func TestCallsAsEvents(t *testing.T) {
	s, n := withNode(t)
	a := s.ask(t, "POST", execute(opKeyed), `{"input":{"a":1}}`, "Accept", "text/event-stream")
	want := "event: progress\ndata: {\"stage\":\"working\",\"message\":\"half way\",\"data\":{\"n\":1}}\n\nevent: result\ndata: {\"output\":{\"got\":{\"a\":1}}}"
	if a.status != 200 || a.header.Get("Content-Type") != eventStream || a.body != want {
		t.Errorf("got %+v", a)
	}
	n.do = func(client.Request) (client.Result, error) {
		return client.Result{}, sdk.Invalid(sdk.Violation{Pointer: "/a", Code: "small", Message: "a is small"})
	}
	a = s.ask(t, "POST", execute(opKeyed), `{"input":{"a":1}}`, "Accept", "application/json;q=0.5, text/event-stream")
	_, last, _ := strings.Cut(a.body, "event: problem\ndata: ")
	var p problem
	if err := json.Unmarshal([]byte(last), &p); err != nil || p.Status != 400 || p.Code != "small" || len(p.Errors) != 1 || p.Errors[0].Pointer != "/input/a" {
		t.Errorf("got %+v, %v", a, err)
	}
	if p := s.ask(t, "POST", execute("demo.nothing@1"), `{}`, "Accept", "text/event-stream").problem(t); p.Code != "unknown_operation" {
		t.Errorf("before the stream: %+v", p)
	}
}

func TestPortsAndValidate(t *testing.T) {
	s, _ := withNode(t)
	a := s.ask(t, "POST", "/v1/operations/"+opKeyed+"/ports", `{"input":{"buttons":[{"id":"a","label":"A","type":"REPLY"},{"id":"b","type":"URL"},{"id":"${ vars.x }","type":"REPLY"}]}}`)
	if want := `{"ports":[{"id":"out","label":"Done"},{"id":"reply:a","label":"A"},{"id":"reply:*","label":"Any other"},{"id":"error","label":"Failed"}],"offered":["reply:a"],"open":true}`; a.body != want {
		t.Errorf("got %s, want %s", a.body, want)
	}
	if a := s.ask(t, "POST", "/v1/operations/"+opKeyed+"/validate", `{"input":{"bad":1}}`); a.body != `{"valid":false,"violations":[{"pointer":"/bad","code":"bad","message":"it is bad"}],"warnings":[]}` {
		t.Errorf("got %+v", a)
	}
	if a := s.ask(t, "POST", "/v1/operations/"+opKeyed+"/validate", ``); a.status != 200 || !strings.Contains(a.body, `"valid":true`) || !strings.Contains(a.body, "odd") {
		t.Errorf("got %+v", a)
	}
	if p := s.ask(t, "POST", "/v1/operations/log@1/validate", ``).problem(t); p.Code != "unknown_operation" {
		t.Errorf("got %+v", p)
	}
}
