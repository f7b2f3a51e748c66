package metrics

import (
	"context"
	"errors"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
	"github.com/tapnode/tapnode/host/internal/flow/run"
)

// Log wraps the engine's log and counts what the engine stores and takes up. There its work can be seen
// without its help.
func (m *Metrics) Log(log Whole) Whole { return counted{log, m} }

// Whole is everything that the engine needs of a log.
type Whole interface {
	engine.Log
	engine.Archive
}

type counted struct {
	Whole
	m *Metrics
}

// Append implements engine.Log.
func (c counted) Append(ctx context.Context, b engine.Batch) (uint64, error) {
	began := time.Now()
	revision, err := c.Whole.Append(ctx, b)
	if err != nil {
		c.m.refused.WithLabelValues(reason(ctx, err)).Inc()
		return revision, err
	}
	c.m.appends.Observe(time.Since(began).Seconds())
	for _, s := range b.Steps {
		c.m.steps.WithLabelValues(string(s.Kind)).Inc()
		switch s.Kind {
		case run.TraceRunStarted:
			c.m.started.WithLabelValues(c.m.flow(s.Flow)).Inc()
		case run.TraceRunFinished:
			c.m.ended.WithLabelValues(c.m.flow(s.Flow), s.Code).Inc()
		}
	}
	return revision, nil
}

func reason(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, engine.ErrConflict):
		return "conflict"
	case errors.Is(err, engine.ErrStale):
		return "stale"
	case errors.Is(err, engine.ErrFull):
		return "full"
	case ctx.Err() != nil:
		return "cut"
	}
	return "database"
}

// Next implements engine.Log.
func (c counted) Next(ctx context.Context, q engine.Queue) (engine.Task, error) {
	t, err := c.Whole.Next(ctx, q)
	if err == nil {
		c.m.late.WithLabelValues(string(q)).Observe(max(0, time.Since(t.Due).Seconds()))
	}
	return t, err
}

// Bury implements engine.Log.
func (c counted) Bury(ctx context.Context, l engine.DeadLetter) error {
	err := c.Whole.Bury(ctx, l)
	if err == nil {
		c.m.letters.WithLabelValues(l.Code).Inc()
	}
	return err
}
