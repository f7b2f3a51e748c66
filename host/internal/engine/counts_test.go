package engine_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/sdk"
)

// counting is a log that adds up what is counted.
type counting struct {
	engine.Log
	mu  sync.Mutex
	got map[engine.CountKind]int64
}

func (c *counting) Append(ctx context.Context, b engine.Batch) (uint64, error) {
	revision, err := c.Log.Append(ctx, b)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, one := range b.Counts {
			c.got[one.Kind] += one.N
		}
	}
	return revision, err
}

// TestMenuIsCountedOnce: also a menu that was answered before its call had an outcome, or whose
// call never got one.
func TestMenuIsCountedOnce(t *testing.T) {
	for name, outcome := range map[string]error{
		"sent":               nil,
		"nobody knows":       &sdk.Problem{Code: "lost", Effect: sdk.EffectUnknown, Retryable: true},
		"failed, it is said": &sdk.Problem{Code: "refused", Effect: sdk.EffectUnknown},
	} {
		for when, early := range map[string]bool{"early": true, "late": false} {
			if !early && outcome != nil {
				continue
			}
			t.Run(name+", "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log, answered := &counting{Log: engine.NewMemory(0), got: map[engine.CountKind]int64{}}, make(chan struct{})
					p := &phone{before: func(_ context.Context, c engine.Call, nth int) error {
						if c.Correlation == "" || nth > 1 {
							return nil
						}
						if early {
							<-answered
						}
						return outcome
					}}
					r := openRig(t, engine.Options{Log: log, Executor: p}, example(t, "menu.yaml"))
					defer r.stop()
					id := r.run(engine.Request{Flow: "menu"})
					synctest.Wait()
					r.deliver(click("e1", id+":ask:1", "billing"))
					close(answered)
					synctest.Wait()
					log.mu.Lock()
					defer log.mu.Unlock()
					want := map[engine.CountKind]int64{engine.CountMenu: 1, engine.CountTap: 1, engine.CountSent: 1}
					if !early {
						want[engine.CountTook] = 1
					}
					if outcome != nil {
						want[engine.CountFailed] = 1
					}
					if !maps.Equal(log.got, want) {
						t.Errorf("counted %v, want %v", log.got, want)
					}
				})
			})
		}
	}
}
