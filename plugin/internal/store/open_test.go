package store_test

import (
	"sync"
	"testing"

	"github.com/tapnode/tapnode/plugin/internal/store"
)

func TestProcessesMayStartAtOnce(t *testing.T) {
	onOptions(t, store.Options{}, func(t *testing.T, opt store.Options) {
		stores := make([]*store.Store, 4)
		var wg sync.WaitGroup
		for i := range stores {
			wg.Go(func() {
				var err error
				if stores[i], err = store.Open(t.Context(), opt); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, s := range stores {
			if s != nil {
				check(t, s.Close())
			}
		}
	})
}
