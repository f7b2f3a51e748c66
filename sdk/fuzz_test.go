package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// FuzzRequestDoor sends any bytes as input through Validate and Execute: the node survives, both
// agree, and accepted input is what the action can read.
func FuzzRequestDoor(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"do":"warn"}`, `{"do":"x","text":"y"}`, `{"do":1}`, `[`, `{"Do":"x","do":"y"}`, "{\"do\":\"\xff\"}", `{"do":"\ud800"}`, `{"do":"x","do":"y"}`} {
		f.Add([]byte(seed))
	}
	n := &sdk.Node{Name: "door", Version: "1.0.0", Operations: []sdk.Offer{sdk.Action[doing, doing]{
		ID: "door.enter@1", Input: []byte(doingSchema), Output: []byte(doingSchema),
		Run: func(_ context.Context, _ *sdk.Call, in doing) (doing, error) { return in, nil },
	}}}
	c := local(f, n)
	if err := c.Configure(context.Background(), sdk.Setup{StateDir: f.TempDir()}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		violations, _, err := c.Validate(context.Background(), "door.enter@1", input)
		if err != nil {
			t.Fatal(err)
		}
		result, err := c.Execute(context.Background(), client.Request{Operation: "door.enter@1", Input: input}, nil)
		if len(violations) > 0 {
			p, ok := errors.AsType[*sdk.Problem](err)
			if !ok || p.Effect != sdk.EffectNone || p.Fault != sdk.FaultCaller || len(p.Violations) != len(violations) {
				t.Fatalf("%q: Validate says %+v, Execute says %v", input, violations, err)
			}
			return
		}
		var out doing
		if err != nil || json.Unmarshal(result.Output, &out) != nil || out.Do == "" || out.Text == "" && len(input) == 0 {
			t.Fatalf("%q: %s, %v", input, result.Output, err)
		}
	})
}
