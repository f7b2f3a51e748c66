package media_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/buttons"
	"github.com/tapnode/tapnode/plugin/internal/media"
)

// Slow servers of one instance, or of a few, never keep another instance from loading its files.
func TestSlowDownloadsOfOthers(t *testing.T) {
	l, quick := loader(t, media.Options{}), serve(t, mp4)
	ctx, giveUp := context.WithCancel(t.Context())
	arrived := make(chan struct{}, 100)
	slow := handle(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(mp4)
		w.(http.Flusher).Flush()
		arrived <- struct{}{}
		<-ctx.Done()
	})
	var blocked sync.WaitGroup
	for instance := range 3 {
		for range 12 {
			blocked.Go(func() {
				_, err := l.Header(ctx, &server{}, fmt.Sprint("slow-", instance), slow, buttons.Video, nil)
				if e, ok := errors.AsType[*media.Error](err); !ok || !e.Retry {
					t.Errorf("a download that was given up: %v", err)
				}
			})
		}
	}
	for range 3 * 4 { // all the places that they can take
		<-arrived
	}
	for range 20 {
		if _, err := l.Header(t.Context(), &server{}, "quick", quick, buttons.Video, nil); err != nil {
			t.Error(err)
		}
	}
	if n := len(arrived); n > 0 {
		t.Errorf("%d downloads more than the places of an instance", n)
	}
	giveUp()
	blocked.Wait()
	if _, err := l.Header(t.Context(), &server{}, "slow-1", quick, buttons.Video, nil); err != nil {
		t.Errorf("a place was lost: %v", err)
	}
}
