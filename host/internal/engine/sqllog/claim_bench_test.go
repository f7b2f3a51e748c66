package sqllog

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// BenchmarkClaim hands out a call and ends it, beside a lane that is full and has thousands
// that wait.
func BenchmarkClaim(b *testing.B) {
	for _, queued := range []int{0, 5000, 20_000} {
		b.Run(fmt.Sprint(queued), func(b *testing.B) {
			onEachB(b, func(b *testing.B, l *Log) {
				add := func(id, lane string, n int) {
					batch := engine.Batch{Run: id, Digest: "d", State: []byte("{}")}
					for i := range n {
						batch.Tasks = append(batch.Tasks, engine.Task{ID: fmt.Sprint(id, i), Run: id, Kind: engine.TaskCall, Lane: lane, Due: time.Now().Add(-time.Hour)})
					}
					if _, err := l.Append(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				take := func(want string) engine.Task {
					t, err := l.Next(b.Context(), engine.Calls)
					if err != nil || t.Run != want {
						b.Fatal(t, err)
					}
					return t
				}
				if queued > 0 {
					add("campaign", "send busy", queued)
					for range engine.LaneWidth {
						take("campaign")
					}
				}
				for i := 0; b.Loop(); i++ {
					id := fmt.Sprint("quiet", i)
					add(id, "send quiet", 1)
					if err := l.Drop(b.Context(), take(id)); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
