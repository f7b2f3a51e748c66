package store_test

import (
	"sync"
	"testing"

	"go.mau.fi/whatsmeow/util/keys"

	"github.com/tapnode/tapnode/plugin/internal/store"
)

// A batch and single keys asked for at the same time neither block each other nor
// get the same id, and all of them are stored.
func TestPreKeys(t *testing.T) {
	onEach(t, store.Options{}, func(t *testing.T, open func() *store.Store) {
		ctx, s := t.Context(), open()
		d := pair(t, s.Devices.NewDevice(), 1)
		var mu sync.Mutex
		ids := map[uint32]bool{}
		note := func(list ...*keys.PreKey) {
			mu.Lock()
			defer mu.Unlock()
			for _, k := range list {
				if ids[k.KeyID] {
					t.Errorf("key %d was made twice", k.KeyID)
				}
				ids[k.KeyID] = true
			}
		}
		var work sync.WaitGroup
		work.Go(func() {
			list, err := d.PreKeys.GetOrGenPreKeys(ctx, 50)
			if err != nil || len(list) != 50 {
				t.Errorf("got %d keys, want 50: %v", len(list), err)
			}
			note(list...)
		})
		for range 8 {
			work.Go(func() {
				k, err := d.PreKeys.GenOnePreKey(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				note(k)
			})
		}
		work.Wait()
		for id := range ids {
			if k, err := d.PreKeys.GetPreKey(ctx, id); err != nil || k == nil {
				t.Errorf("key %d is not stored: %v", id, err)
			}
		}
	})
}
