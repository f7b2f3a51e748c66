package gather_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/plugin/internal/gather"
)

// While a question is under way those who come share the next one, up to the limit; each key is in
// one question, and its caller gets that question's end.
func TestGather(t *testing.T) {
	const callers, limit = 100, 8
	bad := errors.New("no")
	var mu sync.Mutex
	var questions [][]int
	asked, first := make(chan struct{}), true
	g := gather.New(limit, time.Minute, func(_ context.Context, keys []int) (int, error) {
		mu.Lock()
		waits := first
		first = false
		questions = append(questions, slices.Clone(keys))
		mu.Unlock()
		if waits {
			<-asked
		}
		if slices.Contains(keys, 7) {
			return 0, bad
		}
		return len(keys), nil
	})
	var wg sync.WaitGroup
	errs, answers := make([]error, callers), make([]int, callers)
	var begun atomic.Int64
	for i := range callers {
		wg.Go(func() {
			begun.Add(1)
			answers[i], errs[i] = g.Do(t.Context(), i)
		})
	}
	for begun.Load() < callers {
		time.Sleep(time.Millisecond)
	}
	close(asked)
	wg.Wait()
	seen := map[int]int{}
	for n, q := range questions {
		if len(q) > limit {
			t.Errorf("a question about %d keys", len(q))
		}
		for _, key := range q {
			seen[key]++
			if refused := slices.Contains(q, 7); refused != errors.Is(errs[key], bad) || !refused && (errs[key] != nil || answers[key] != len(q)) {
				t.Errorf("question %d, key %d: %d, %v", n, key, answers[key], errs[key])
			}
		}
	}
	if len(seen) != callers || len(questions) > callers/2 {
		t.Errorf("%d keys in %d questions", len(seen), len(questions))
	}
}

// Who does not want to wait any more goes, and the others get their answer; and it begins anew.
func TestGatherLeft(t *testing.T) {
	release := make(chan struct{})
	g := gather.New(8, time.Minute, func(_ context.Context, keys []string) (string, error) { <-release; return keys[len(keys)-1], nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Do(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	close(release)
	if one, err := g.Do(t.Context(), "b"); err != nil || one != "b" {
		t.Error(one, err)
	}
}
