package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tapnode/tapnode/sdk"
)

// Events of one run or subject are handled in their order, others in parallel. They land in the
// order of the stream, and the cursor stored with an event is never past one that is not done.
func TestFlight(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // a test's seed
		const n = 300
		shops := 1 + int(seed/2%2)*2
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
				if j == i || !done[j] { // nor may it be past the event itself
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
			shop := rnd.IntN(shops)
			ev := sdk.Event{ID: strconv.Itoa(i), Cursor: []byte(strconv.Itoa(i)), Subject: fmt.Sprint("shop", shop)}
			if rnd.IntN(10) > 0 {
				ev.Correlation = fmt.Sprintf("run%d:ask:1", shop*15+rnd.IntN(15))
			}
			for f.take(ev) != nil && ctx.Err() == nil { // the window is full
				time.Sleep(100 * time.Microsecond)
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
		if shops == 1 && (most < 5 || most > alone) || shops > 1 && most < 2 {
			t.Errorf("seed %d: %d at a time", seed, most)
		}
		cancel()
	}
}

// An event of a quiet subject does not wait until many of a busy one are handled. From then on,
// only a few of the busy subject are handled at a time.
func TestFlightTakesTurns(t *testing.T) {
	busy, quiet := make(chan struct{}), make(chan struct{})
	var early, late atomic.Int32
	f := newFlight(nil, func() {}, func(ev sdk.Event, _ []byte) error {
		if ev.Subject == "quiet" {
			close(quiet)
			return nil
		}
		select {
		case <-busy:
		default:
			early.Add(1)
			<-busy
			time.Sleep(5 * time.Millisecond)
			early.Add(-1)
			return nil
		}
		if n := early.Load() + late.Add(1); n > inCompany {
			t.Errorf("%d of the busy subject at a time", n)
		}
		time.Sleep(time.Millisecond)
		late.Add(-1)
		return nil
	}, func(sdk.Event) error { return nil })
	for i := range window - 1 {
		if err := f.take(sdk.Event{ID: strconv.Itoa(i), Subject: "busy", Correlation: fmt.Sprintf("run%d:ask:1", i)}); err != nil {
			t.Error(err)
		}
	}
	if err := f.take(sdk.Event{ID: "one", Subject: "quiet", Cursor: []byte("last")}); err != nil {
		t.Error(err)
	}
	<-quiet
	for early.Load() < alone {
		time.Sleep(time.Millisecond)
	}
	for range window {
		if err := f.take(sdk.Event{ID: "more", Subject: "quiet"}); !errors.Is(err, errWindow) {
			t.Errorf("one more than the window: %v", err)
		}
	}
	close(busy)
	if cursor, err := f.wait(); string(cursor) != "last" || err != nil {
		t.Errorf("%q, %v", cursor, err)
	}
	if err := f.take(sdk.Event{ID: "later", Subject: "busy"}); err != nil {
		t.Errorf("those that were refused have taken places: %v", err)
	}
	if _, err := f.wait(); err != nil {
		t.Error(err)
	}
}
