package engine_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// outbox is a log that records the outgoing events.
type outbox struct {
	engine.Log
	mu   sync.Mutex
	told []engine.Outgoing
}

func (o *outbox) Append(ctx context.Context, b engine.Batch) (uint64, error) {
	revision, err := o.Log.Append(ctx, b)
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.told = append(o.told, b.Outgoing...)
	}
	return revision, err
}

// TestRunsAreTold: the events of a run are stored with the change, each with its own id, while
// somebody wants them; they contain nothing that a flow or a customer said.
func TestRunsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, wanted := &outbox{Log: engine.NewMemory(0)}, true
		p := &phone{}
		r := openRig(t, engine.Options{Log: log, Executor: p, Tells: func() bool { return wanted }}, example(t, "menu.yaml"))
		defer r.stop()
		id := r.run(engine.Request{Flow: "menu", Vars: map[string]any{"name": "Ana"}})
		synctest.Wait()
		r.deliver(click("e1", id+":ask:1", "billing"))
		synctest.Wait()
		log.mu.Lock()
		told := log.told
		log.mu.Unlock()
		var types, ids []string
		for _, ev := range told {
			types, ids = append(types, ev.Type), append(ids, ev.ID)
			var data struct{ Run, Flow, Node, Status, MessageID string }
			if err := json.Unmarshal(ev.Data, &data); err != nil || data.Run != id || ev.Run != id || data.Flow != "menu" || strings.Contains(string(ev.Data), "Ana") {
				t.Errorf("told %s, %v", ev.Data, err)
			}
			if ev.Type == engine.EventRunWaiting && (data.Node != "ask" || data.MessageID != "M1") || ev.Type == engine.EventRunEnded && data.Status != "succeeded" {
				t.Errorf("told %s", ev.Data)
			}
		}
		if want := []string{engine.EventRunStarted, engine.EventRunWaiting, engine.EventRunEnded}; !slices.Equal(types, want) {
			t.Errorf("told %v, want %v", types, want)
		}
		slices.Sort(ids)
		if len(slices.Compact(ids)) != len(told) {
			t.Errorf("the ids are %v", ids)
		}
		wanted = false
		r.run(engine.Request{Flow: "menu"})
		synctest.Wait()
		log.mu.Lock()
		defer log.mu.Unlock()
		if len(log.told) != len(told) {
			t.Error("it was told to nobody")
		}
	})
}
