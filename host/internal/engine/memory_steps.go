package engine

import (
	"context"
	"iter"
)

// keepSteps is how many steps a Memory keeps for those who watch.
const keepSteps = 16 << 10

// stepRing keeps the newest steps. Its owner's lock guards it.
type stepRing struct {
	ring []Step
	last uint64        // sequence of the newest
	more chan struct{} // closed, and made anew, when steps are added; nil: nobody waits
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
	}
	if len(steps) > 0 && r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// after copies the kept steps with a higher sequence. lagged means that some
// such steps are gone; more is closed when there are new ones.
func (r *stepRing) after(seq uint64) (out []Step, lagged bool, more <-chan struct{}) {
	oldest := r.last - uint64(len(r.ring)) + 1
	if lagged = seq+1 < oldest; lagged {
		seq = oldest - 1
	}
	for ; seq < r.last; seq++ {
		out = append(out, r.ring[int(seq%uint64(cap(r.ring)))])
	}
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return out, lagged, r.more
}

// Watch implements Log.
func (m *Memory) Watch(ctx context.Context, run string, after uint64) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		for {
			m.mu.Lock()
			steps, lagged, more := m.steps.after(after)
			m.mu.Unlock()
			if lagged && !yield(Step{}, ErrLagged) {
				return
			}
			for _, s := range steps {
				after = s.Sequence
				if (run == "" || s.Run == run) && !yield(s, nil) {
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
