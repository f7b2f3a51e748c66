package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// A watcher of a run sees none of its secrets.
func TestStepsConcealSecrets(t *testing.T) {
	const src = `
apiVersion: flow/v1
kind: Flow
metadata: {id: secret}
vars: {type: object, properties: {token: {type: string, writeOnly: true}}}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    type: http.request@1
    with:
      url: "http://ana:s3cret@127.0.0.1:1/orders?token=${ urlEncode(vars.token) }"
      headers: {Authorization: "Bearer ${ vars.token }", Accept: text/plain}
`
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, engine.NewMemory(0), &phone{}, src)
		defer r.stop()
		id := r.run(engine.Request{Flow: "secret", Vars: map[string]any{"token": "s3cret"}})
		if got := r.status(id); got != run.StatusFailed {
			t.Fatalf("%s", got)
		}
		steps := r.steps(id)
		told, err := json.Marshal(steps)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(told), "s3cret") || !strings.Contains(string(told), "text/plain") || !strings.Contains(string(told), "127.0.0.1:1/orders") {
			t.Errorf("steps: %s", told)
		}
		s, err := r.State(t.Context(), id)
		if err != nil || s.Vars["token"] != "s3cret" {
			t.Errorf("the run itself: %v %v", s.Vars, err)
		}
	})
}
