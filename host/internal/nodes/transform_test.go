package nodes_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tapnode/tapnode/host/internal/nodes"
	"github.com/tapnode/tapnode/sdk"
)

func TestTransform(t *testing.T) {
	n := node(t, "transform@1", nodes.Options{})
	items := map[string]any{"items": []any{map[string]any{"name": "A", "stock": 1}, map[string]any{"name": "B", "stock": 0}}}
	got, err := n.Execute(context.Background(), "key", map[string]any{"jq": ".items | map(select(.stock > 0) | .name)", "input": items})
	if diff := cmp.Diff(any(map[string]any{"value": []any{"A"}}), got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for name, c := range map[string]struct {
		in   map[string]any
		code string
	}{
		"no program":   {map[string]any{"jq": "1 +"}, "invalid_request"},
		"no text":      {map[string]any{"jq": 1}, "invalid_request"},
		"too long":     {map[string]any{"jq": strings.Repeat(" ", 4097)}, "invalid_request"},
		"its own":      {map[string]any{"jq": "error(\"mine\")"}, "jq_failed"},
		"of a type":    {map[string]any{"jq": ".a", "input": []any{}}, "jq_failed"},
		"no result":    {map[string]any{"jq": "empty"}, "jq_failed"},
		"several":      {map[string]any{"jq": "1, 2"}, "jq_failed"},
		"a bomb":       {map[string]any{"jq": "[repeat(1)]"}, "jq_cost"},
		"a clock":      {map[string]any{"jq": "now"}, "invalid_request"},
		"a long fault": {map[string]any{"jq": "error(\"x\" * 10000)"}, "jq_failed"},
	} {
		_, err := n.Execute(context.Background(), "key", c.in)
		var p *sdk.Problem
		if !errors.As(err, &p) || p.Code != c.code || len(p.Message) > 1000 || p.Effect != sdk.EffectNone || p.Retryable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
