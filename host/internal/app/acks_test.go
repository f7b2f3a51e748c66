package app

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Four finished events are acknowledged at once, fewer after a moment, and none after the end of
// the stream.
func TestAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []uint64
		a := newAcks(func(sequence uint64) error {
			heard = append(heard, sequence)
			return nil
		})
		expect := func(what string, want ...uint64) {
			t.Helper()
			synctest.Wait()
			a.mu.Lock() // it is held while heard is written
			defer a.mu.Unlock()
			if !slices.Equal(heard, want) {
				t.Errorf("%s: %v, want %v", what, heard, want)
			}
		}
		put := func(sequences ...uint64) {
			for _, s := range sequences {
				if err := a.put(s); err != nil {
					t.Error(err)
				}
			}
		}
		put(1, 2, 3)
		expect("at once")
		time.Sleep(ackAfter + 1)
		expect("after a moment", 3)
		put(4, 5, 6, 7, 8)
		expect("after four", 3, 7)
		time.Sleep(ackAfter + 1)
		expect("after a moment more", 3, 7, 8)
		put(9)
		a.end()
		time.Sleep(ackAfter + 1)
		expect("after the end", 3, 7, 8)
	})
}
