package sqllog

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/internal/sqldb"
)

const (
	// page is how many rows Watch reads at once. No transaction stays open between two.
	page = 200
	// poll is how long what another host stores in the same Postgres may go unseen.
	poll = 250 * time.Millisecond
)

// stored is a step as its row has it: the row knows the run, the flow and the sequence.
type stored struct {
	engine.Step
	Sequence uint64 `json:"sequence,omitempty"`
	Run      string `json:"run,omitempty"`
	Flow     string `json:"flow,omitempty"`
}

func encodeSteps(steps []engine.Step) ([]byte, error) {
	rows := make([]stored, len(steps))
	for i, s := range steps {
		rows[i].Step = s
	}
	return json.Marshal(rows)
}

func putSteps(t *sqldb.Tx, seq int64, run, flow string, now int64, data []byte) error {
	_, err := t.Exec(`INSERT INTO engine_steps (seq, run, flow, stored_at, data) VALUES ($1, $2, $3, $4, $5)`, seq, run, flow, now, data)
	return err
}

func scanSteps(row sqldb.Scanner) ([]engine.Step, error) {
	var last uint64
	var run, name string
	var data []byte
	if err := row.Scan(&last, &run, &name, &data); err != nil {
		return nil, err
	}
	var rows []stored
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, fmt.Errorf("step %d: %w", last, err)
	}
	steps := make([]engine.Step, len(rows))
	for i, r := range rows {
		s := r.Step
		s.Sequence, s.Run, s.Flow = last-uint64(len(rows)-1-i), run, name
		s.Data = flow.Normalize(s.Data)
		steps[i] = s
	}
	return steps, nil
}

// read returns steps after a sequence: of a run all of them, of all runs (an empty run)
// those of one page.
func (l *Log) read(ctx context.Context, run string, after uint64) ([]engine.Step, error) {
	query, args := `SELECT seq, run, flow, data FROM engine_steps WHERE seq > $1 ORDER BY seq LIMIT $2`, []any{int64(after), page}
	if run != "" {
		query = `SELECT seq, run, flow, data FROM engine_steps WHERE seq > $1 AND run = $3 ORDER BY seq LIMIT $2`
		args = append(args, run)
	}
	rows, err := sqldb.All(ctx, l.db, scanSteps, query, args...)
	if err != nil {
		return nil, sqldb.Wrap("read steps", err)
	}
	var out []engine.Step
	for _, steps := range rows {
		for _, s := range steps {
			if s.Sequence > after {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// Publish implements engine.Log.
func (l *Log) Publish(ctx context.Context, steps ...engine.Step) error {
	if len(steps) == 0 {
		return nil
	}
	encoded := make([][]byte, len(steps))
	for i := range steps {
		var err error
		if encoded[i], err = encodeSteps(steps[i : i+1]); err != nil {
			return err
		}
	}
	err := l.db.WriteUnsynced(ctx, "publish steps", l.change(func(t *sqldb.Tx) error {
		seq, err := count(t, len(steps), total{})
		for i := range steps {
			if err == nil {
				err = putSteps(t, seq-int64(len(steps)-1-i), steps[i].Run, steps[i].Flow, sqldb.Millis(l.now()), encoded[i])
			}
		}
		return err
	}))
	if err == nil {
		l.news.wake()
	}
	return err
}

// Steps implements engine.Log.
func (l *Log) Steps(ctx context.Context, run string, after uint64) (all []engine.Step, err error) {
	for {
		some, err := l.read(ctx, run, after)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
		after = some[len(some)-1].Sequence
	}
}

// Newest implements engine.Log.
func (l *Log) Newest(ctx context.Context) (seq uint64, err error) {
	err = l.db.Row(ctx, `SELECT seq FROM engine_totals WHERE id = 1`, nil, &seq)
	return seq, sqldb.Wrap("read the newest sequence", err)
}

// Watch implements engine.Log.
func (l *Log) Watch(ctx context.Context, run string, after uint64) iter.Seq2[engine.Step, error] {
	return func(yield func(engine.Step, error) bool) {
		for ctx.Err() == nil {
			more := l.news.next() // before reading: what comes while we read closes it
			steps, gone, err := l.look(ctx, run, after)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				yield(engine.Step{}, err)
				return
			case gone > after:
				after = gone
				if !yield(engine.Step{}, engine.ErrLagged) {
					return
				}
				continue
			}
			for _, s := range steps {
				after = s.Sequence
				if !yield(s, nil) {
					return
				}
			}
			if len(steps) == 0 && !l.sleep(ctx, more) {
				return
			}
		}
	}
}

// look reads steps and then what is gone: a gap before them is seen.
func (l *Log) look(ctx context.Context, run string, after uint64) (steps []engine.Step, gone uint64, err error) {
	if steps, err = l.read(ctx, run, after); err != nil {
		return nil, 0, err
	}
	err = l.db.Row(ctx, `SELECT gone FROM engine_totals WHERE id = 1`, nil, &gone)
	return steps, gone, sqldb.Wrap("read steps", err)
}

func (l *Log) sleep(ctx context.Context, more <-chan struct{}) bool {
	return l.sleepAtMost(ctx, more, poll)
}

// sleepAtMost waits for news, and on Postgres a moment at most: other hosts bring some, too.
func (l *Log) sleepAtMost(ctx context.Context, more <-chan struct{}, moment time.Duration) bool {
	var others <-chan time.Time
	if l.owned == nil {
		timer := time.NewTimer(moment)
		defer timer.Stop()
		others = timer.C
	}
	select {
	case <-more:
	case <-others:
	case <-ctx.Done():
		return false
	case <-l.done:
		return false
	}
	return true
}

// news wakes everybody who waits for them.
type news struct {
	mu   sync.Mutex
	more chan struct{} // nil: nobody waits
}

func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more == nil {
		n.more = make(chan struct{})
	}
	return n.more
}

func (n *news) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more != nil {
		close(n.more)
		n.more = nil
	}
}
