package engine_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapnode/tapnode/host/internal/engine"
)

// gone is a Log whose database is away.
type gone struct{ *engine.Memory }

func (gone) Next(context.Context, engine.Queue) (engine.Task, error) {
	return engine.Task{}, errors.New("the database is away")
}

// An outage that all workers see is logged every few seconds, not by each of them.
func TestOutageIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		r := openRig(t, engine.Options{Log: gone{engine.NewMemory(0)}, Executor: &phone{}, Logger: slog.New(slog.NewTextHandler(&said, nil))})
		time.Sleep(time.Minute)
		r.stop()
		if n := strings.Count(said.String(), "the database is away"); n < 2 || n > 15 {
			t.Errorf("it was said %d times in a minute", n)
		}
	})
}
