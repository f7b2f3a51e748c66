package sdk_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

func TestBoardKeepsSinceWhileTheStateStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sdk.NewBoard()
		b.Set(sdk.Health{Subject: "a", State: sdk.Healthy})
		start := b.Snapshot()[0].Since
		time.Sleep(time.Minute)
		b.Set(sdk.Health{Subject: "a", State: sdk.Healthy, Message: "still"})
		if got := b.Snapshot()[0]; !got.Since.Equal(start) || got.Message != "still" {
			t.Errorf("got %+v, want the old since", got)
		}
		b.Set(sdk.Health{Subject: "a", State: sdk.Unhealthy})
		if got := b.Snapshot()[0].Since; !got.Equal(start.Add(time.Minute)) {
			t.Errorf("since %v, want the time of the change", got)
		}
	})
}

func TestBoardCoalescesForSlowWatchers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sdk.NewBoard()
		b.Set(sdk.Health{Subject: "b", State: sdk.Starting})
		b.Set(sdk.Health{State: sdk.Healthy})
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		next := make(chan struct{})
		go func() {
			for h := range b.Watch(ctx) {
				got = append(got, fmt.Sprint(h.Subject, h.Message, h.Removed))
				<-next
			}
			close(next)
		}()
		synctest.Wait() // the watcher is processing the state of the process
		for i := range 1000 {
			b.Set(sdk.Health{Subject: "b", State: sdk.Healthy, Message: fmt.Sprint(i)})
			b.Set(sdk.Health{Subject: "c", State: sdk.Healthy, Message: fmt.Sprint(i)})
		}
		b.Remove("c")
		b.Remove("nobody")
		for range 3 {
			next <- struct{}{}
			synctest.Wait()
		}
		cancel()
		<-next
		if want := "[false b999false c999true]"; fmt.Sprint(got) != want {
			t.Errorf("seen %v, want %v", got, want)
		}
	})
}

func TestBoardIsBounded(t *testing.T) {
	b := sdk.NewBoard()
	for i := range 10_010 {
		b.Set(sdk.Health{Subject: fmt.Sprint(i), State: sdk.Healthy})
	}
	if n := len(b.Snapshot()); n != 10_000 {
		t.Errorf("%d subjects", n)
	}
}

func TestBoardSaysNothingWhenNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := sdk.NewBoard()
		b.Set(sdk.Health{Subject: "a", State: sdk.Healthy})
		ctx, cancel := context.WithCancel(t.Context())
		seen, ended := 0, make(chan struct{})
		go func() {
			defer close(ended)
			for range b.Watch(ctx) {
				seen++
			}
		}()
		synctest.Wait()
		b.Set(sdk.Health{Subject: "a", State: sdk.Healthy})
		synctest.Wait()
		cancel()
		<-ended
		if seen != 1 {
			t.Errorf("seen %d times, want once", seen)
		}
	})
}
