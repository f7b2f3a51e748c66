package nodetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/tapnode/tapnode/sdk"
	"github.com/tapnode/tapnode/sdk/client"
)

func (s *suite) health(t *testing.T) {
	l := s.open(t)
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	var process *sdk.Health
	err := l.WatchHealth(ctx, func(h sdk.Health) {
		if h.Subject == "" && process == nil {
			process = &h
			cancel()
		}
	})
	if process == nil {
		t.Fatalf("no state of the process came: %v", err)
	}
	if process.State == "" || process.Since.IsZero() {
		t.Errorf("an incomplete state: %+v", *process)
	}
}

func (s *suite) drain(t *testing.T) {
	l := s.open(t)
	result := make(chan error, 1)
	if s.Slow != nil {
		running := make(chan struct{})
		go func() {
			_, err := l.Execute(bounded(t), request(*s.Slow, "slow"), onFirst(func() { close(running) }))
			result <- err
		}()
		select {
		case <-running:
		case err := <-result:
			t.Fatalf("Slow ended before it reported progress: %v", err)
		}
	}
	cut, err := l.Drain(bounded(t), 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if s.Slow != nil {
		if !slices.Contains(cut, "slow") {
			t.Errorf("cut %v, want the key of the call that ran", cut)
		}
		if err, answered := await(t, result, s.name()+" hangs: a call that was cut is not answered"); answered && err == nil {
			t.Error("a call that was cut has succeeded")
		}
	}
	for _, sample := range s.Samples {
		_, err := l.Execute(bounded(t), request(sample, "late"), nil)
		wantCode(t, err, codes.Unavailable)
	}
	if err := l.Close(bounded(t)); err != nil {
		t.Errorf("close after drain: %v", err)
	}
}

// onFirst calls f at the first progress, when the call is certain to be running.
func onFirst(f func()) func(client.Progress) {
	var once sync.Once
	return func(client.Progress) { once.Do(f) }
}

func (s *suite) closeTwice(t *testing.T) {
	l := s.start(t, t.TempDir())
	for range 2 {
		if err := l.Close(bounded(t)); err != nil {
			t.Errorf("close of an unconfigured process: %v", err)
		}
	}
	l = s.open(t)
	for range 3 {
		if err := l.Close(bounded(t)); err != nil {
			t.Error(err)
		}
	}
}
