package sdk_test

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

// TestClaim: a node that supports leases is given them, and says why it refuses a claim.
func TestClaim(t *testing.T) {
	t.Parallel()
	var told sdk.Setup
	claimed := map[string]uint64{}
	leasing := &sdk.Node{Name: "demo", Version: "1.0.0", Features: []string{sdk.FeatureLeases},
		Configure: func(_ context.Context, s sdk.Setup) error { told = s; return nil },
		Shared:    func() bool { return true },
		Claim: func(_ context.Context, subject string, epoch uint64) error {
			if epoch < claimed[subject] {
				return &sdk.Problem{Code: "stale_epoch", HTTPStatus: 409, Message: "somebody has it", Effect: sdk.EffectNone, Fault: sdk.FaultCaller}
			}
			claimed[subject] = epoch
			return nil
		}}
	c := local(t, leasing)
	shared, err := c.ConfigureLeased(within(t), sdk.Setup{StateDir: t.TempDir(), Leased: true})
	if err != nil || !shared || !told.Leased {
		t.Fatalf("shared = %v, %v; told %+v", shared, err, told)
	}
	if err := c.Claim(within(t), "shop", 7); err != nil || claimed["shop"] != 7 {
		t.Errorf("claim: %v, %v", err, claimed)
	}
	if p, ok := errors.AsType[*sdk.Problem](c.Claim(within(t), "shop", 6)); !ok || p.Code != "stale_epoch" {
		t.Errorf("a stale claim: %v", p)
	}
	for subject, epoch := range map[string]uint64{"": 1, "shop": 0} {
		if lost, ok := errors.AsType[*client.TransportError](c.Claim(within(t), subject, epoch)); !ok || lost.Code != codes.InvalidArgument {
			t.Errorf("claim of %q, %d: %v", subject, epoch, lost)
		}
	}

	alone := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Configure: leasing.Configure})
	if shared, err := alone.ConfigureLeased(within(t), sdk.Setup{StateDir: t.TempDir(), Leased: true}); err != nil || shared || told.Leased {
		t.Errorf("a node without leases: shared %v, %v, told %+v", shared, err, told)
	}
	if lost, ok := errors.AsType[*client.TransportError](alone.Claim(within(t), "shop", 1)); !ok || lost.Code != codes.Unimplemented {
		t.Errorf("it is claimed of: %v", lost)
	}
	if (&sdk.Node{Name: "demo", Version: "1.0.0", Claim: leasing.Claim}).Check() == nil {
		t.Error("Claim without Shared and the feature is taken")
	}
}

// TestSharedPanics: a panic in Shared fails the call that asked, and does not end the process.
func TestSharedPanics(t *testing.T) {
	t.Parallel()
	c := local(t, &sdk.Node{Name: "demo", Version: "1.0.0", Features: []string{sdk.FeatureLeases},
		Shared: func() bool { panic("oh") }, Claim: func(context.Context, string, uint64) error { return nil }})
	_, err := c.ConfigureLeased(within(t), sdk.Setup{StateDir: t.TempDir(), Leased: true})
	if failed, ok := errors.AsType[*client.TransportError](err); !ok || failed.Code != codes.Internal {
		t.Errorf("it was configured: %v", err)
	}
}
