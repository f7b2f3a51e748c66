package nodetest

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
)

// claims proves that the highest epoch holds a subject, and that the node says why when it refuses
// a claim. A node without the feature does not implement Claim.
func (s *suite) claims(t *testing.T) {
	l := s.open(t)
	m, err := l.Describe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Features, sdk.FeatureLeases) {
		wantCode(t, l.Claim(bounded(t), "nobody", 1), codes.Unimplemented)
		return
	}
	wantCode(t, l.Claim(bounded(t), "", 1), codes.InvalidArgument)
	wantCode(t, l.Claim(bounded(t), "nobody", 0), codes.InvalidArgument)
	refused := func(subject string, epoch uint64, code string) {
		t.Helper()
		err := l.Claim(bounded(t), subject, epoch)
		if p, ok := errors.AsType[*sdk.Problem](err); !ok || p.Code != code || p.Effect != sdk.EffectNone || p.Message == "" {
			t.Errorf("claim of %s with epoch %d: %v, want %s without effect", subject, epoch, err, code)
		}
	}
	refused("nobody of this name", 1, "not_found")
	if s.Trigger == nil || s.Trigger.Subjects[0] == "" {
		t.Skip("the rest needs a Trigger with Subjects")
	}
	subject := s.Trigger.Subjects[0]
	for _, epoch := range []uint64{7, 7, 9} {
		if err := l.Claim(bounded(t), subject, epoch); err != nil {
			t.Errorf("claim with epoch %d: %v", epoch, err)
		}
	}
	refused(subject, 8, "stale_epoch")
	if err := l.Claim(bounded(t), subject, 9); err != nil {
		t.Errorf("a stale claim has changed something: %v", err)
	}
}
