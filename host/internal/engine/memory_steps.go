package engine

import (
	"context"
	"iter"

	"github.com/tapnode/tapnode/host/internal/engine/watchers"
)

// keepSteps is how many steps a Memory keeps for watchers.
const keepSteps = 16 << 10

// stepRing keeps the newest steps. Its owner's lock guards it.
type stepRing struct {
	ring []Step
	last uint64 // sequence of the newest
	watchers.Set
}

func newStepRing(size int) *stepRing { return &stepRing{ring: make([]Step, 0, size)} }

func (r *stepRing) add(steps []Step) {
	for _, s := range steps {
		r.last++
		s.Sequence = r.last
		if len(r.ring) < cap(r.ring) {
			r.ring = append(r.ring, s)
		} else {
			r.ring[int((r.last-1)%uint64(cap(r.ring)))] = s
		}
		r.Wake(s.Run)
	}
}

// after copies the kept steps with a higher sequence, of a run or (with an empty run) of all runs.
// lagged means that some steps after the sequence are gone.
func (r *stepRing) after(seq uint64, run string) (out []Step, lagged bool) {
	oldest := r.last - uint64(len(r.ring)) + 1
	if lagged = seq+1 < oldest; lagged {
		seq = oldest - 1
	}
	for ; seq < r.last; seq++ {
		if s := &r.ring[int(seq%uint64(cap(r.ring)))]; run == "" || s.Run == run {
			out = append(out, *s)
		}
	}
	return out, lagged
}

// Steps implements Log.
func (m *Memory) Steps(_ context.Context, run string, after uint64) ([]Step, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept, _ := m.steps.after(after, run)
	return kept, nil
}

// Newest implements Log.
func (m *Memory) Newest(context.Context) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.steps.last, nil
}

// Watch implements Log.
func (m *Memory) Watch(ctx context.Context, run string, after uint64) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		more, leave := m.steps.Join(run)
		defer leave()
		for {
			m.mu.Lock()
			steps, lagged := m.steps.after(after, run)
			after = m.steps.last
			m.mu.Unlock()
			if lagged && !yield(Step{}, ErrLagged) {
				return
			}
			for _, s := range steps {
				if !yield(s, nil) {
					return
				}
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			}
		}
	}
}
