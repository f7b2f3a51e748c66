package enginetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

func watchAll(t *testing.T, s suite) {
	s.append(t, engine.Batch{Run: "a", State: []byte(`{}`), Steps: []engine.Step{{Run: "a", Node: "1"}, {Run: "a", Node: "2"}}})
	if err := s.Publish(s.ctx, engine.Step{Run: "b", Node: "3"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	var last uint64
	for st, err := range s.Watch(s.ctx, "", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if st.Sequence <= last {
			t.Errorf("sequence %d after %d", st.Sequence, last)
		}
		last = st.Sequence
		if got = append(got, st.Node); len(got) == 3 { // all kept ones were read: the next comes live
			if err := s.Publish(s.ctx, engine.Step{Run: "a", Node: "4"}); err != nil {
				t.Fatal(err)
			}
		}
		if len(got) == 4 {
			break
		}
	}
	if want := []string{"1", "2", "3", "4"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func watchOne(t *testing.T, s suite) {
	for i := range 6 {
		if err := s.Publish(s.ctx, engine.Step{Run: []string{"a", "b"}[i%2], Visit: i}); err != nil {
			t.Fatal(err)
		}
	}
	var first uint64
	for st := range s.Watch(s.ctx, "a", 0) {
		first = st.Sequence
		break
	}
	kept, err := s.Steps(s.ctx, "a", first)
	if err != nil || len(kept) != 2 || kept[0].Visit != 2 || kept[1].Visit != 4 {
		t.Errorf("the kept steps are %+v (%v), want the visits 2 and 4", kept, err)
	}
	if none, err := s.Steps(s.ctx, "nobody", 0); err != nil || len(none) != 0 {
		t.Errorf("steps of no run: %+v, %v", none, err)
	}
	var got []int
	for st, err := range s.Watch(s.ctx, "a", first) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, st.Visit); len(got) == 2 {
			break
		}
	}
	if want := []int{2, 4}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// watchWriters: while many writers write at once, on two hosts if the data can be shared, a reader
// misses nothing and sees each sequence once, in order.
func watchWriters(t *testing.T, s suite) {
	const writers, each = 8, 25
	logs := []engine.Log{s.Log}
	if s.place.Shared {
		logs = append(logs, s.place.Open(t))
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				id := fmt.Sprintf("%d-%d", w, n)
				_, err := logs[w%len(logs)].Append(s.ctx, engine.Batch{Run: id, State: []byte(`{}`), Steps: []engine.Step{
					{Run: id, Flow: "f", Kind: run.TraceRunStarted, Time: time.Now()}, {Run: id, Flow: "f", Kind: run.TraceRunFinished, Data: map[string]any{"n": n}}}})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	seen := map[string]int{}
	var last uint64
	for st, err := range s.Watch(s.ctx, "", 0) {
		if err != nil {
			t.Fatalf("after %d of %d steps: %v", len(seen), 2*writers*each, err)
		}
		if st.Sequence <= last || st.Flow != "f" {
			t.Errorf("step %+v after %d", st, last)
		}
		last = st.Sequence
		if seen[st.Run+string(st.Kind)]++; len(seen) == 2*writers*each {
			break
		}
	}
	wg.Wait()
	if len(seen) != 2*writers*each {
		t.Errorf("%d of %d steps were seen", len(seen), 2*writers*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was seen %d times", id, n)
		}
	}
	if newest, err := s.Newest(s.ctx); err != nil || newest != last {
		t.Errorf("the newest is %d (%v), want %d", newest, err, last)
	}
}
