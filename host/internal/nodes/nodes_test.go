package nodes_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/nodes"
)

func node(t *testing.T, id string, o nodes.Options) nodes.Node {
	t.Helper()
	for _, n := range nodes.All(o) {
		if n.Operation().ID == id {
			return n
		}
	}
	t.Fatalf("there is no node %s", id)
	return nil
}

// Every built-in node describes itself as a node binary would: its schemas compile and accept their
// own examples.
func TestOperations(t *testing.T) {
	for _, n := range nodes.All(nodes.Options{}) {
		op := n.Operation()
		t.Run(op.ID, func(t *testing.T) {
			cat, err := flow.NewCatalogue(op)
			if err != nil {
				t.Fatal(err)
			}
			var schema struct {
				Examples []json.RawMessage `json:"examples"`
			}
			if err := json.Unmarshal(op.Input, &schema); err != nil || len(schema.Examples) == 0 {
				t.Fatalf("no examples: %v", err)
			}
			for _, ex := range schema.Examples {
				src, err := json.Marshal(map[string]any{"apiVersion": "flow/v1", "kind": "Flow", "metadata": map[string]any{"id": "f"},
					"vars":     map[string]any{"properties": map[string]any{"orderId": map[string]any{}, "total": map[string]any{}, "plan": map[string]any{}}},
					"triggers": []any{map[string]any{"id": "t", "type": "manual", "to": "n"}},
					"nodes":    []any{map[string]any{"id": "n", "type": op.ID, "with": ex}}})
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := flow.Load(src, cat); err != nil {
					t.Errorf("example %s: %v", ex, err)
				}
			}
		})
	}
}

func TestSwitchAndSet(t *testing.T) {
	for name, c := range map[string]struct {
		id       string
		in, want map[string]any
	}{
		"first true case": {"switch@1",
			map[string]any{"cases": []any{map[string]any{"id": "a", "when": false}, map[string]any{"id": "b", "when": true}, map[string]any{"id": "c", "when": true}}},
			map[string]any{"port": "case:b"}},
		"no case": {"switch@1", map[string]any{"cases": []any{map[string]any{"id": "a", "when": false}}}, map[string]any{"port": "default"}},
		"set":     {"set@1", map[string]any{"values": map[string]any{"a": "1", "b": nil}}, map[string]any{"a": "1", "b": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := node(t, c.id, nodes.Options{}).Execute(context.Background(), "key", c.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(any(c.want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if _, err := node(t, "switch@1", nodes.Options{}).Execute(context.Background(), "key", map[string]any{"cases": "no"}); err == nil {
		t.Error("an input of the wrong shape was taken")
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	in := map[string]any{"message": "line\nbreak", "level": "warn", "data": map[string]any{"b": 2, "a": "x"}}
	if _, err := node(t, "log@1", nodes.Options{Log: log}).Execute(context.Background(), "key", in); err != nil {
		t.Fatal(err)
	}
	if want := `{"level":"WARN","msg":"line\nbreak","data":{"a":"x","b":2}}` + "\n"; out.String() != want {
		t.Errorf("got %s want %s", out.String(), want)
	}
}
