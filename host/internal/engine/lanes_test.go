package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

const perInstance = `
apiVersion: flow/v1
kind: Flow
metadata: {id: per-instance}
vars: {type: object, properties: {instance: {type: string, default: quiet}}}
triggers: [{id: start, type: manual, to: say}]
nodes:
  - {id: say, type: whatsapp.sendText@1, with: {instance: "${ vars.instance }", number: "1", contentText: hello}}
`

// A campaign on one instance, whose sends are slow, delays no run on another instance.
func TestCampaignDelaysNoOtherInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &phone{before: func(ctx context.Context, c engine.Call, _ int) error {
			if strings.Contains(string(c.Input), "campaign") {
				select {
				case <-time.After(10 * time.Second):
				case <-ctx.Done():
				}
			}
			return ctx.Err()
		}}
		r := newRig(t, engine.NewMemory(0), p, perInstance)
		defer func() {
			cut, cancel := context.WithCancel(context.Background())
			cancel()
			_ = r.Stop(cut) // the campaign goes on later
		}()
		for i := range 300 {
			r.run(engine.Request{Flow: "per-instance", Vars: map[string]any{"instance": "campaign"}, Key: fmt.Sprint(i)})
		}
		synctest.Wait()
		began := time.Now()
		id := r.run(engine.Request{Flow: "per-instance"})
		if got := r.status(id); got != run.StatusSucceeded || time.Since(began) > 0 {
			t.Errorf("the run on the quiet instance %s after %v", got, time.Since(began))
		}
	})
}
