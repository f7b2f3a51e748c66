package flow_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/flow/flowtest"
)

const ownTriggers = `
apiVersion: flow/v1
kind: Flow
metadata: {id: f}
vars: {properties: {phone: {type: string, default: "1"}}}
triggers:
  - {id: hand, type: manual, concurrency: {key: "${ vars.phone }", policy: queue}, to: n}
  - {id: word, type: whatsapp.messageReceived@1, match: {keywords: [restart]}, concurrency: {key: "${ event.chat.phone }", policy: replace}, to: n}
  - {id: any, type: whatsapp.messageReceived@1, when: "${ event.chat.type == 'private' }", concurrency: {policy: ignore}, to: n}
  - {id: hook, type: webhook, with: {path: orders, auth: {type: secret, secret: SHOP, header: X-Shop}}, vars: {phone: "${ event.body.phone }"}, to: n}
  - {id: nine, type: schedule, with: {cron: "0 9 * * *", zone: America/Sao_Paulo}, to: n}
  - {id: sub, type: flow, to: n}
nodes:
  - {id: n, type: log@1, with: {message: hello}}
`

func load(t *testing.T, src string) *flow.Program {
	t.Helper()
	p, findings, err := flow.Load([]byte(src), flowtest.Catalogue(t))
	if err != nil {
		t.Fatal(err, findings)
	}
	return p
}

func message(said, phone string) map[string]any {
	return map[string]any{"text": said, "chat": map[string]any{"type": "private", "phone": phone, "jid": phone + "@s.whatsapp.net"}}
}

func TestTriggers(t *testing.T) {
	p := load(t, ownTriggers)
	for name, c := range map[string]struct {
		trigger string
		event   any
		want    bool
	}{
		"a word":       {"word", message("RESTART!", "1"), true},
		"another word": {"word", message("stop", "1"), false},
		"no text":      {"word", map[string]any{}, false},
		"any word":     {"any", message("stop", "1"), true},
	} {
		if got, err := p.Match(c.trigger, c.event); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if !p.Interrupts("word") || p.Interrupts("any") || p.Interrupts("hand") {
		t.Error("only the restart word interrupts")
	}
	for name, c := range map[string]struct {
		trigger string
		scope   flow.Scope
		want    flow.Concurrency
	}{
		"of the variables":    {"hand", flow.Scope{Vars: map[string]any{"phone": "55"}}, flow.Concurrency{Key: "55", Policy: flow.PolicyQueue}},
		"of the event":        {"word", flow.Scope{Event: message("restart", "55")}, flow.Concurrency{Key: "55", Policy: flow.PolicyReplace}},
		"nobody's":            {"word", flow.Scope{Event: map[string]any{"chat": map[string]any{"phone": nil}}}, flow.Concurrency{Policy: flow.PolicyParallel}},
		"of the whole flow":   {"any", flow.Scope{Event: message("x", "55")}, flow.Concurrency{Policy: flow.PolicyIgnore}},
		"without concurrency": {"sub", flow.Scope{}, flow.Concurrency{Policy: flow.PolicyParallel}},
	} {
		if got, err := p.Concurrency(c.trigger, c.scope); got != c.want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	long, err := p.Concurrency("hand", flow.Scope{Vars: map[string]any{"phone": strings.Repeat("5", 1000)}})
	if err != nil || len(long.Key) != 64 {
		t.Errorf("a long key gives %+v, %v", long, err)
	}
	if _, err := p.Concurrency("word", flow.Scope{Event: map[string]any{}}); err == nil {
		t.Error("a key that cannot be computed is an error")
	}
	if w := p.Webhook("hook"); w == nil || w.Path != "orders" || w.Method != "POST" || w.Auth.Secret != "SHOP" || p.Webhook("sub") != nil {
		t.Errorf("webhook %+v", w)
	}
	s := p.Schedule("nine")
	if s == nil || p.Schedule("hook") != nil {
		t.Fatal("only nine is a schedule")
	}
	if got := s.Next(time.Date(2026, 11, 26, 13, 0, 0, 0, time.UTC)); got.Format(time.RFC3339) != "2026-11-27T09:00:00-03:00" || s.Misfire != time.Hour {
		t.Errorf("next %v, misfire %v", got, s.Misfire)
	}
	vars, err := p.Variables("hook", flow.Scope{Event: map[string]any{"body": map[string]any{"phone": "7"}}}, nil)
	if err != nil || vars["phone"] != "7" {
		t.Errorf("variables %v, %v", vars, err)
	}
	if _, err := p.Variables("sub", flow.Scope{}, map[string]any{"phon": "7"}); err == nil {
		t.Error("a flow takes only variables that it has from another")
	}
}

// The digest of the manifests that a program was checked against changes with the operations that
// it uses, and only with those.
func TestManifests(t *testing.T) {
	digest := func(change func(*flow.Operation)) string {
		ops := flowtest.Operations()
		for i := range ops {
			change(&ops[i])
		}
		cat, err := flow.NewCatalogue(ops...)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := flow.Load([]byte(`{"apiVersion": "flow/v1", "kind": "Flow", "metadata": {"id": "f"}, "triggers": [{"id": "s", "type": "manual", "to": "n"}],
			"nodes": [{"id": "n", "type": "whatsapp.sendText@1", "with": {"instance": "a", "number": "1", "contentText": "x"}}]}`), cat)
		if err != nil {
			t.Fatal(err)
		}
		return p.Manifests()
	}
	before := digest(func(*flow.Operation) {})
	if len(before) != 64 || digest(func(*flow.Operation) {}) != before {
		t.Errorf("the digest is %q, and not always", before)
	}
	if digest(func(o *flow.Operation) { o.Summary += strings.Repeat("x", len(o.ID)-len("whatsapp.sendText@1")) }) != before {
		t.Error("it changes with an operation that is not used") // only longer ids get an x
	}
	if digest(func(o *flow.Operation) { o.Replay = "UNSAFE" }) == before {
		t.Error("it does not change with the replay class")
	}
}

// A flow that is far too large is refused quickly and with a short message.
func TestTenThousandNodes(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: flow/v1\nkind: Flow\nmetadata: {id: f}\ntriggers: [{id: s, type: manual, to: n0}]\nnodes:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "  - {id: n%d, type: log@1, color: red}\n", i)
	}
	_, _, err := flow.Load([]byte(b.String()), flowtest.Catalogue(t))
	var invalid *flow.InvalidError
	if !errors.As(err, &invalid) || len(invalid.Findings) != 1 || invalid.Findings[0].Pointer != "/nodes" {
		t.Fatalf("got %v", err)
	}
}

func TestDue(t *testing.T) {
	p := load(t, `
apiVersion: flow/v1
kind: Flow
metadata: {id: f}
vars: {properties: {x: {type: string}}}
triggers: [{id: s, type: manual, to: fixed}]
nodes:
  - {id: fixed, type: delay@1, with: {for: 1h}}
  - {id: open, type: delay@1, with: {for: "${ vars.x }"}}
  - {id: until, type: delay@1, with: {until: "${ vars.x }", zone: Europe/Berlin}}
edges:
  - {from: fixed.out, to: open}
  - {from: open.out, to: until}
`)
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		node, x, want string
	}{
		"fixed":             {"fixed", "", "2026-11-26T11:00:00Z"},
		"computed":          {"open", "2d", "2026-11-28T10:00:00Z"},
		"computed, nothing": {"open", "0s", "2026-11-26T10:00:01Z"},
		"too long":          {"open", "91d", ""},
		"no duration":       {"open", "soon", ""},
		"until":             {"until", "2026-11-26T12:30", "2026-11-26T11:30:00Z"},
		"until, offset":     {"until", "2026-11-26T12:30:00-03:00", "2026-11-26T15:30:00Z"},
		"until, passed":     {"until", "2026-11-25", "2026-11-26T10:00:00Z"},
		"until, far":        {"until", "2027-11-25", ""},
		"until, nonsense":   {"until", "noon", ""},
	} {
		n := p.Node(c.node)
		in, err := p.Input(n, flow.Scope{Vars: map[string]any{"x": c.x}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.Due(in, now)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.UTC().Format(time.RFC3339) != c.want) {
			t.Errorf("%s: %v, %v; want %q", name, got, err, c.want)
		}
	}
}
