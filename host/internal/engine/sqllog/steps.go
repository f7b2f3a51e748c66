package sqllog

import (
	"context"
	"fmt"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow"
	"github.com/tapnode/tapnode/host/internal/storedjson"
	"github.com/tapnode/tapnode/internal/sqldb"
)

// page is how many rows are read at once. No transaction stays open between two pages.
const page = 200

// stored is a step as its row has it: without the run, the flow and the sequence, which have
// columns.
type stored struct {
	*engine.Step
	Sequence uint64 `json:"sequence,omitempty"`
	Run      string `json:"run,omitempty"`
	Flow     string `json:"flow,omitempty"`
}

func encodeSteps(steps []engine.Step) ([]byte, error) {
	rows := make([]stored, len(steps))
	for i := range steps {
		rows[i].Step = &steps[i]
	}
	return storedjson.Encode(rows)
}

func scanSteps(row sqldb.Scanner) ([]engine.Step, error) {
	var last uint64
	var run, name string
	var data []byte
	if err := row.Scan(&last, &run, &name, &data); err != nil {
		return nil, err
	}
	rows, err := storedjson.Decode[[]stored](data)
	if err != nil {
		return nil, fmt.Errorf("step %d: %w", last, err)
	}
	steps := make([]engine.Step, len(rows))
	for i, r := range rows {
		s := &steps[i]
		if r.Step != nil { // nil if the step had no member
			*s = *r.Step
		}
		s.Sequence, s.Run, s.Flow = last-uint64(len(rows)-1-i), run, name
		s.Data = flow.Normalize(s.Data)
	}
	return steps, nil
}

// read returns steps after a sequence, of a run or (with an empty run) of all runs. more says that
// there may be others after them.
func (l *Log) read(ctx context.Context, run string, after uint64) (out []engine.Step, more bool, err error) {
	query, args := `SELECT seq, run, flow, data FROM engine_steps WHERE seq > $1 ORDER BY seq LIMIT $2`, []any{int64(after), page}
	if run != "" {
		query = `SELECT seq, run, flow, data FROM engine_steps WHERE seq > $1 AND run = $3 ORDER BY seq LIMIT $2`
		args = append(args, run)
	}
	rows, err := sqldb.All(ctx, l.db, scanSteps, query, args...)
	if err != nil {
		return nil, false, sqldb.Wrap("read steps", err)
	}
	for _, steps := range rows {
		for _, s := range steps {
			if s.Sequence > after {
				out = append(out, s)
			}
		}
	}
	return out, len(rows) == page, nil
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
	err := l.db.WriteUnsynced(ctx, "publish steps", func(t *sqldb.Tx) error {
		g, err := l.group(t)
		for i, s := range steps {
			var seq int64
			if err == nil {
				seq, err = g.count(t, 1, total{})
			}
			if err != nil {
				return err
			}
			g.steps = append(g.steps, stepsRow{nil, seq, s.Run, s.Flow, sqldb.Millis(l.now()), encoded[i]})
		}
		return err
	})
	for _, s := range steps {
		if err == nil {
			l.watchers.Wake(s.Run)
		}
	}
	return err
}

// Steps implements engine.Log.
func (l *Log) Steps(ctx context.Context, run string, after uint64) (all []engine.Step, err error) {
	for more := true; more; {
		var some []engine.Step
		if some, more, err = l.read(ctx, run, after); err != nil {
			return all, err
		}
		if all = append(all, some...); len(all) > 0 {
			after = all[len(all)-1].Sequence
		}
	}
	return all, nil
}

// Newest implements engine.Log.
func (l *Log) Newest(ctx context.Context) (seq uint64, err error) {
	err = l.db.Row(ctx, `SELECT seq FROM engine_totals WHERE id = 1`, nil, &seq)
	return seq, sqldb.Wrap("read the newest sequence", err)
}
