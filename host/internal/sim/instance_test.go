package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// Calls to an instance that moves between hosts are repeated for a limited time.
func TestPatient(t *testing.T) {
	for name, test := range map[string]struct {
		away int
		want bool
	}{"soon": {3, true}, "never": {1000, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, calls := time.Now(), 0
				_, err := patient(func(context.Context, client.Request, func(client.Progress)) (client.Result, error) {
					if calls++; calls <= test.away {
						return client.Result{}, &sdk.Problem{Code: "instance_away", RetryAfter: time.Second}
					}
					return client.Result{}, nil
				})(t.Context(), client.Request{}, nil)
				if (err == nil) != test.want || time.Since(began) > awayTime+time.Second {
					t.Errorf("after %d calls and %v: %v", calls, time.Since(began), err)
				}
			})
		})
	}
}
