package nodetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
	nodepb "github.com/tapnode/tapnode/sdk/nodepb/flownode/v1"
	"github.com/tapnode/tapnode/sdk/schema"
)

func (s *suite) executeOnce(t *testing.T) {
	if len(s.Samples) == 0 {
		t.Skip("needs Samples")
	}
	l := s.open(t)
	m, err := l.Describe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	outputs := map[string]*schema.Schema{}
	for _, op := range m.Operations {
		if outputs[op.ID], err = schema.Compile(op.Output); err != nil {
			t.Fatal(err)
		}
	}
	for i, sample := range s.Samples {
		succeeded, failed := complete(t, l, &nodepb.ExecuteRequest{
			Operation: sample.Operation, Input: sample.Input, IdempotencyKey: fmt.Sprint("once-", i),
		})
		if failed != nil {
			t.Errorf("sample of %s: %v", sample.Operation, failed)
			continue
		}
		if _, findings := outputs[sample.Operation].Check(succeeded.GetOutput()); len(findings) > 0 || len(succeeded.GetOutput()) == 0 {
			t.Errorf("output of %s: %s\n%+v", sample.Operation, succeeded.GetOutput(), findings)
		}
	}
}

// complete reads a whole Execute stream and checks that it keeps the contract's order of messages.
func complete(t *testing.T, l *live, req *nodepb.ExecuteRequest) (*nodepb.Succeeded, *nodepb.Failed) {
	t.Helper()
	stream, err := l.rpc.Execute(bounded(t), req)
	if err != nil {
		t.Fatal(err)
	}
	var last *nodepb.ExecuteResponse
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", req.GetOperation(), err)
		}
		if last.GetSucceeded() != nil || last.GetFailed() != nil {
			t.Fatalf("%s: a message after the completion: %v", req.GetOperation(), m)
		}
		last = m
	}
	f := last.GetFailed()
	if f == nil && last.GetSucceeded() == nil {
		t.Fatalf("%s: the stream ended without a completion", req.GetOperation())
	}
	if f != nil && (f.GetCode() == "" || f.GetMessage() == "" || f.GetHttpStatus() < 400 || f.GetHttpStatus() > 599 ||
		f.GetEffect() == nodepb.Effect_EFFECT_UNSPECIFIED || f.GetFault() == nodepb.Fault_FAULT_UNSPECIFIED) {
		t.Errorf("%s: an incomplete failure: %v", req.GetOperation(), f)
	}
	return last.GetSucceeded(), f
}

func (s *suite) executeRefuses(t *testing.T) {
	l := s.open(t)
	_, err := l.Execute(bounded(t), client.Request{Operation: "no.such@1"}, nil)
	wantCode(t, err, codes.NotFound)
	if len(s.Samples) > 0 {
		r := request(s.Samples[0], strings.Repeat("k", 256))
		_, err := l.Execute(bounded(t), r, nil)
		wantCode(t, err, codes.InvalidArgument)
		r.Key, r.Correlation = "k", strings.Repeat("c", 1025)
		_, err = l.Execute(bounded(t), r, nil)
		wantCode(t, err, codes.InvalidArgument)
	}
	if s.Trigger != nil {
		_, err := l.Execute(bounded(t), client.Request{Operation: s.Trigger.Operation}, nil)
		wantCode(t, err, codes.InvalidArgument)
	}
}

// executeHostile sends every hostile document to every operation: Execute must refuse what Validate
// refuses, for the same reasons, and without effect.
func (s *suite) executeHostile(t *testing.T) {
	l := s.open(t)
	m, err := l.Describe(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range m.Operations {
		if op.Kind == sdk.KindTrigger {
			continue
		}
		for i, input := range hostile() {
			violations, _, err := l.Validate(bounded(t), op.ID, input.Bytes)
			if err != nil {
				t.Fatalf("%s: %s: %v", op.ID, input.Name, err)
			}
			if len(violations) == 0 {
				continue // it happens to be a valid input
			}
			_, failed := complete(t, l, &nodepb.ExecuteRequest{Operation: op.ID, Input: input.Bytes, IdempotencyKey: fmt.Sprint("hostile-", i)})
			if failed.GetEffect() != nodepb.Effect_EFFECT_NONE || failed.GetFault() != nodepb.Fault_FAULT_CALLER || len(failed.GetViolations()) != len(violations) {
				t.Errorf("%s: %s: Validate says %.500v, Execute says %.500v", op.ID, input.Name, violations, failed)
			}
		}
		_, err := l.rpc.Validate(bounded(t), &nodepb.ValidateRequest{Operation: op.ID, Input: make([]byte, sdk.MaxMessage+1)}, grpc.MaxCallSendMsgSize(2*sdk.MaxMessage))
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%s: a message above the limit: %v", op.ID, err)
		}
	}
	s.work(t, l)
	if _, err := l.Describe(bounded(t)); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func (s *suite) executeCancel(t *testing.T) {
	if s.Slow == nil {
		t.Skip("needs Slow")
	}
	l := s.open(t)
	ctx, cancel := context.WithTimeout(bounded(t), 200*time.Millisecond)
	defer cancel()
	_, err := l.Execute(ctx, request(*s.Slow, "deadline"), nil)
	if p, ok := errors.AsType[*sdk.Problem](err); !ok { // the node's own answer, if it is faster than the transport's
		wantCode(t, err, codes.DeadlineExceeded)
	} else if p.Effect != sdk.EffectUnknown && p.Effect != sdk.EffectNone {
		t.Errorf("the deadline left effect %s", p.Effect)
	}
	ctx, cancel = context.WithCancel(bounded(t))
	defer cancel()
	_, err = l.Execute(ctx, request(*s.Slow, "cancel"), onFirst(cancel))
	wantCode(t, err, codes.Canceled)
	// Cancelled work has ended: a drain has nothing to wait for or to cut.
	cut, err := l.Drain(bounded(t), 10*time.Second)
	if err != nil || len(cut) > 0 {
		t.Errorf("after the cancel %v still runs (%v)", cut, err)
	}
}

func (s *suite) executeDryRun(t *testing.T) {
	if s.Keyed == nil || s.Effects == nil {
		t.Skip("needs Keyed and Effects")
	}
	l := s.open(t)
	before := s.Effects(t, l.dir)
	r := request(s.Keyed(0), "dry")
	r.DryRun = true
	if _, err := l.Execute(bounded(t), r, nil); err != nil {
		p, ok := errors.AsType[*sdk.Problem](err)
		if !ok || p.Effect != sdk.EffectNone {
			t.Error(err)
		}
	}
	if after := s.Effects(t, l.dir); after != before {
		t.Errorf("%d effects before the dry run, %d after", before, after)
	}
}

func (s *suite) executeKeyed(t *testing.T) {
	if s.Keyed == nil || s.Effects == nil {
		t.Skip("needs Keyed and Effects")
	}
	l := s.open(t)
	before := s.Effects(t, l.dir)
	var outputs [][]byte
	for range 3 {
		got, err := l.Execute(bounded(t), request(s.Keyed(0), "same"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got.Replayed != (len(outputs) > 0) {
			t.Errorf("call %d says replayed=%v", len(outputs)+1, got.Replayed)
		}
		outputs = append(outputs, got.Output)
	}
	if !bytes.Equal(outputs[0], outputs[1]) || !bytes.Equal(outputs[0], outputs[2]) {
		t.Errorf("one key, several outcomes: %s", outputs)
	}
	if after := s.Effects(t, l.dir); after != before+1 {
		t.Errorf("%d effects for one key", after-before)
	}
	_, err := l.Execute(bounded(t), request(s.Keyed(1), "same"), nil)
	if p, ok := errors.AsType[*sdk.Problem](err); !ok || p.Code != "idempotency_mismatch" || p.Effect != sdk.EffectNone {
		t.Errorf("the same key with another input: %v, want idempotency_mismatch", err)
	}
}

func (s *suite) executeMany(t *testing.T) {
	if len(s.Samples) == 0 {
		t.Skip("needs Samples")
	}
	l := s.open(t)
	var g errgroup.Group
	for i := range 200 {
		g.Go(func() error {
			_, err := l.Execute(bounded(t), request(s.Samples[i%len(s.Samples)], fmt.Sprint("many-", i)), nil)
			if p, ok := errors.AsType[*sdk.Problem](err); ok && p.Fault == sdk.FaultCaller {
				return nil // e.g. already exists: that is an answer
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
