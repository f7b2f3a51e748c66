package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// Events of one run or subject are handled in their order, others side by side; they land in
// the order of the stream, and the cursor that is stored with one is never behind another that
// is not done.
func TestFlight(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // a test's seed
		const n = 300
		fails := 0
		if seed%2 == 1 {
			fails = 1 + rnd.IntN(n)
		}
		var mu sync.Mutex
		done, last, most := map[int]bool{}, map[string]int{}, 0
		running := 0
		landed := 0
		ctx, cancel := context.WithCancel(t.Context())
		pause := make([]time.Duration, n+1)
		for i := range pause {
			pause[i] = time.Duration(rnd.IntN(300)) * time.Microsecond
		}
		f := newFlight([]byte("0"), cancel, func(ev sdk.Event, cursor []byte) error {
			i, _ := strconv.Atoi(ev.ID)
			mu.Lock()
			if last[laneOf(ev)] > i {
				t.Errorf("event %d of lane %s after %d", i, laneOf(ev), last[laneOf(ev)])
			}
			last[laneOf(ev)] = i
			running++
			most = max(most, running)
			at, _ := strconv.Atoi(string(cursor))
			for j := 1; j <= at; j++ {
				if j != i && !done[j] {
					t.Errorf("event %d may store that %d is done", i, j)
				}
			}
			mu.Unlock()
			time.Sleep(pause[i])
			mu.Lock()
			defer mu.Unlock()
			running--
			if i == fails {
				return errors.New("no database")
			}
			done[i] = true
			return nil
		}, func(ev sdk.Event) error {
			if landed++; ev.ID != strconv.Itoa(landed) {
				t.Errorf("%s landed as number %d", ev.ID, landed)
			}
			return nil
		})
		for i := 1; i <= n; i++ {
			ev := sdk.Event{ID: strconv.Itoa(i), Cursor: []byte(strconv.Itoa(i)), Subject: "shop"}
			if rnd.IntN(10) > 0 {
				ev.Correlation = fmt.Sprintf("run%d:ask:1", rnd.IntN(40))
			}
			if f.take(ctx, ev) != nil {
				break
			}
		}
		cursor, err := f.wait()
		want := n
		if fails > 0 {
			want = fails - 1
		}
		if (err != nil) != (fails > 0) || landed > want || fails == 0 && landed != n || string(cursor) != strconv.Itoa(landed) {
			t.Errorf("seed %d: %d landed, the cursor is %s (%v); want %d", seed, landed, cursor, err, want)
		}
		if most < 5 {
			t.Errorf("seed %d: %d at a time", seed, most)
		}
		cancel()
	}
}
